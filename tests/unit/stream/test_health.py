from __future__ import annotations

import pytest

from pipeline.stream.health import Health, Progress, judge_liveness, judge_readiness
from tests.fakes.stream import FakeState


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("lag", "on_purpose", "broker", "idle", "alive", "says"),
    [
        (0, False, True, 10_000.0, True, "nothing waits"),
        (5, False, True, 59.0, True, "working, last progress 59 s ago"),
        (5, True, True, 61.0, True, "waiting on purpose"),
        (5, False, False, 61.0, True, "a restart would not help"),
        (5, False, True, 61.0, False, "5 messages wait and nothing was committed for 61 s: stuck"),
        (5, False, True, 60.0, False, "stuck"),
    ],
)
def test_a_worker_is_alive_unless_work_lies_undone_without_a_known_reason(
    *, lag: int, on_purpose: bool, broker: bool, idle: float, alive: bool, says: str
) -> None:
    health = judge_liveness(
        lag=lag,
        waits_on_purpose=on_purpose,
        broker_answers=broker,
        seconds_without_progress=idle,
        stall_timeout_seconds=60.0,
    )
    assert (health.ok, says in health.detail) == (alive, True)


@pytest.mark.parametrize(
    ("stopping", "fault", "joined", "hold", "retrying", "expected"),
    [
        (False, None, True, None, False, Health(ok=True, detail="ready")),
        (False, None, True, None, True, Health(ok=True, detail="retrying")),
        (False, None, True, "check the key", True, Health(ok=False, detail="check the key")),
        (False, None, False, "check the key", False, Health(ok=False, detail="joining the consumer group")),
        (True, None, True, None, False, Health(ok=False, detail="stopping")),
        (True, "offsets lost", False, "check", False, Health(ok=False, detail="offsets lost")),
    ],
)
def test_the_first_reason_that_keeps_events_from_flowing_is_told(
    *, stopping: bool, fault: str | None, joined: bool, hold: str | None, retrying: bool, expected: Health
) -> None:
    state = FakeState(hold_reason=hold, retrying=retrying)
    assert judge_readiness(stopping=stopping, fault=fault, joined=joined, state=state) == expected


def test_progress_is_counted_from_the_last_time_something_was_done() -> None:
    clock = Clock()
    progress = Progress(now=clock)
    clock.now += 5
    assert progress.seconds_without() == 5
    progress.made()
    clock.now += 2
    assert progress.seconds_without() == 2


def test_what_an_operator_has_to_see_to_comes_before_what_goes_away_by_itself() -> None:
    def told(hold: str | None) -> Health:
        return judge_readiness(
            stopping=False,
            fault=None,
            joined=True,
            state=FakeState(hold_reason=hold),
            complaint="partitions were added",
        )

    assert told(None) == Health(ok=False, detail="partitions were added")
    assert told("check the key") == Health(ok=False, detail="partitions were added; check the key")
