from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.pace import Pace


def test_requests_keep_their_distance() -> None:
    pace = Pace(requests_per_second=4.0, records_per_second=0.0)
    assert pace.ready_at == 0.0
    pace.departed(records=2_500, now=10.0)
    assert pace.ready_at == 10.25


def test_a_request_pays_for_its_records_before_the_next() -> None:
    pace = Pace(requests_per_second=100.0, records_per_second=1_000.0)
    pace.departed(records=2_500, now=0.0)
    assert pace.ready_at == 2.5
    pace.departed(records=1, now=2.5)
    assert pace.ready_at == 2.51


def test_idle_time_is_not_saved_up() -> None:
    pace = Pace(requests_per_second=1.0, records_per_second=0.0)
    pace.departed(records=1, now=0.0)
    pace.departed(records=1, now=100.0)
    assert pace.ready_at == 101.0


def test_without_limits_nothing_waits() -> None:
    pace = Pace(requests_per_second=0.0, records_per_second=0.0)
    pace.departed(records=2_500, now=7.0)
    assert pace.ready_at <= 7.0


def test_a_pause_holds_everything_back_and_is_never_shortened() -> None:
    pace = Pace(requests_per_second=1.0, records_per_second=0.0)
    assert pace.paused_until == 0.0
    pace.pause(until=30.0)
    pace.pause(until=20.0)
    pace.departed(records=1, now=10.0)
    assert (pace.ready_at, pace.paused_until) == (30.0, 30.0)
    pace.departed(records=1, now=30.0)
    assert pace.ready_at == 31.0


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 2_500)), min_size=1, max_size=60),
    st.floats(0.5, 1_000),
    st.floats(10, 100_000),
)
def test_in_any_span_the_rates_are_kept_but_for_one_request(
    wishes: list[tuple[float, int]], requests: float, records: float
) -> None:
    pace = Pace(requests_per_second=requests, records_per_second=records)
    departures: list[tuple[float, int]] = []
    now = 0.0
    for pause, count in wishes:
        now = max(now + pause, pace.ready_at)
        pace.departed(records=count, now=now)
        departures.append((now, count))
    for first, (begin, _) in enumerate(departures):
        for last in range(first, len(departures)):
            span = departures[last][0] - begin
            between = departures[first:last]
            assert len(between) <= span * requests * 1.000001 + 1e-6
            assert sum(count for _, count in between) <= span * records * 1.000001 + 1e-3
