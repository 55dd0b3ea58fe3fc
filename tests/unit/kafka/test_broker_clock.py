from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from pipeline.kafka.broker_clock import ANSWERS_EVERY_SECONDS, DOUBT_SECONDS, SLOWEST_SECONDS, BrokerClock
from pipeline.kafka.time_protocol import QuorumRequest, QuorumRequest_v1, present_ms

HOUR = 3_600.0
LIMIT = 600.0
NOW = 1_800_000_000.0


class Machine:
    """A machine whose clock can be set, and brokers with a correct clock."""

    def __init__(self, ahead_seconds: float = 0.0) -> None:
        self.ahead_seconds = ahead_seconds
        self.uptime = 1_000.0
        self.clock = BrokerClock(limit_seconds=LIMIT, wall=self.date, steady=lambda: self.uptime)

    def broker_date(self) -> float:
        return NOW + self.uptime

    def date(self) -> float:
        return self.broker_date() + self.ahead_seconds

    def hear(
        self, *, there_seconds: float = 0.0, back_seconds: float = 0.0, broker: int = 1, broker_ahead: float = 0.0
    ) -> None:
        """Send a request to a broker that reads its clock when the request arrives."""
        asked_at = self.uptime
        self.uptime += there_seconds
        told_ms = round((self.broker_date() + broker_ahead) * 1000)
        self.uptime += back_seconds
        self.clock.report(told_ms, asked_at=asked_at, broker=broker)


@dataclass
class Stored:
    timestamp: int
    timestamp_type: int


def test_nothing_is_known_and_nothing_holds_before_a_broker_has_told_its_time() -> None:
    machine = Machine(ahead_seconds=30 * 24 * HOUR)
    assert (machine.clock.difference, machine.clock.look()) == (None, None)


@pytest.mark.parametrize("ahead", [2 * HOUR, -30 * 24 * HOUR, 0.0, 31.0])
def test_the_difference_is_told_with_its_sign(ahead: float) -> None:
    machine = Machine(ahead)
    machine.hear()
    assert machine.clock.difference == pytest.approx(ahead, abs=0.01)


@pytest.mark.parametrize(("ahead", "told"), [(0.0, 0.0), (1.0, 0.0), (-3.0, 0.0), (10.0, 9.0), (-10.0, -7.0)])
def test_a_difference_that_the_way_to_the_broker_may_explain_is_none(ahead: float, told: float) -> None:
    machine = Machine(ahead)
    machine.hear(there_seconds=1.0, back_seconds=3.0)
    assert machine.clock.difference == pytest.approx(told, abs=0.01)


def test_a_clock_that_was_right_is_compared_with_new_reports() -> None:
    machine = Machine()
    machine.hear()
    assert machine.clock.look() is None
    machine.hear(broker_ahead=HOUR)
    assert machine.clock.look() is not None
    assert machine.clock.now() == pytest.approx(machine.date() + HOUR, abs=0.01)


def test_an_answer_that_took_too_long_tells_nothing() -> None:
    machine = Machine(HOUR)
    machine.hear(back_seconds=SLOWEST_SECONDS + 0.1)
    assert machine.clock.difference is None


@pytest.mark.parametrize(
    ("ahead", "says"),
    [(2 * HOUR, "7,200 s ahead of the brokers'"), (-30 * 24 * HOUR, "2,592,000 s behind the brokers'")],
)
def test_a_clock_that_is_too_far_off_holds_until_it_is_right_without_another_word_of_a_broker(
    ahead: float, says: str
) -> None:
    machine = Machine(ahead)
    machine.hear()
    with capture_logs() as logs:
        reasons = {machine.clock.look() for _ in range(3)}
        machine.ahead_seconds = 0.0
        assert machine.clock.look() is None
    (reason,) = reasons
    assert says in (reason or "")
    assert "PIPELINE_CLOCK_MAX_DIFFERENCE_SECONDS" in (reason or "")
    assert [line["log_level"] for line in logs] == ["warning", "error", "info"]


def test_a_clock_that_jumps_while_nothing_is_written_is_noticed_at_once() -> None:
    machine = Machine()
    machine.hear()
    assert machine.clock.look() is None
    machine.uptime += 5 * HOUR
    assert machine.clock.look() is None
    machine.ahead_seconds = -2 * HOUR
    assert "behind the brokers'" in (machine.clock.look() or "")


@pytest.mark.parametrize("ahead", [31.0, -LIMIT + 1])
def test_a_small_difference_is_a_warning_and_one_warning_alone(ahead: float) -> None:
    machine = Machine(ahead)
    machine.hear()
    with capture_logs() as logs:
        assert [machine.clock.look() for _ in range(3)] == [None] * 3
        machine.ahead_seconds = 20.0
        machine.clock.look()
        machine.ahead_seconds = ahead
        machine.clock.look()
    assert [(line["log_level"], line["seconds_ahead_of_the_brokers"]) for line in logs] == [("warning", round(ahead))]
    machine.ahead_seconds = 0.0
    machine.clock.look()
    machine.ahead_seconds = ahead
    with capture_logs() as logs:
        machine.clock.look()
    assert len(logs) == 1


def test_a_hold_that_no_broker_confirms_is_doubted_and_the_next_answer_settles_it() -> None:
    """A machine that was suspended may have no clock that kept running."""
    machine = Machine()
    machine.hear()
    machine.ahead_seconds = 2 * HOUR
    machine.clock.look()
    machine.uptime += DOUBT_SECONDS - 1
    assert machine.clock.look() is not None
    machine.uptime += 2
    assert (machine.clock.look(), machine.clock.difference) == (None, None)
    machine.hear()
    assert machine.clock.look() is not None


def test_a_hold_that_brokers_confirm_goes_on() -> None:
    machine = Machine(2 * HOUR)
    for _ in range(20):
        machine.hear()
        assert machine.clock.look() is not None
        machine.uptime += DOUBT_SECONDS / 2


@pytest.mark.parametrize("broker_ahead", [2 * HOUR, -2 * HOUR])
def test_one_broker_of_several_whose_clock_is_wrong_is_a_warning_and_holds_nobody(broker_ahead: float) -> None:
    machine = Machine()
    with capture_logs() as logs:
        for _ in range(100):
            for broker, ahead in ((1, 0.0), (2, broker_ahead)):
                machine.hear(broker=broker, broker_ahead=ahead)
                assert machine.clock.look() is None
                machine.uptime += 1
    assert machine.clock.now() == machine.date()
    assert [(line["log_level"], line["seconds"]) for line in logs] == [("warning", 7_200)]


def test_where_all_brokers_but_a_wrong_one_agree_that_a_clock_is_wrong_it_holds() -> None:
    machine = Machine(2 * HOUR)
    machine.hear(broker=1)
    machine.hear(broker=2, broker_ahead=-HOUR)
    assert "7,200 s ahead of the brokers'" in (machine.clock.look() or "")


def test_what_one_broker_told_is_passed_over_when_another_has_told_its_time_much_later() -> None:
    """A machine that was suspended has no clock that kept running: earlier reports are outdated."""
    machine = Machine()
    machine.hear(broker=1)
    machine.hear(broker=2, broker_ahead=HOUR)
    assert machine.clock.look() is None
    machine.uptime += DOUBT_SECONDS + 1
    machine.hear(broker=2, broker_ahead=HOUR)
    assert "3,600 s behind the brokers'" in (machine.clock.look() or "")


@pytest.mark.parametrize("ahead", [2 * HOUR, -30 * 24 * HOUR])
def test_what_is_sent_all_the_same_has_the_brokers_time_while_the_clock_is_too_wrong(ahead: float) -> None:
    machine = Machine()
    assert machine.clock.now() == machine.date()
    machine.hear()
    machine.ahead_seconds = LIMIT - 1
    assert machine.clock.now() == machine.date(), "below the limit nobody knows whose clock is wrong"
    machine.ahead_seconds = ahead
    assert machine.clock.now() == pytest.approx(machine.broker_date(), abs=0.01)
    assert machine.clock.now_ms() == pytest.approx(1000 * machine.broker_date(), abs=10)


async def confirmed(machine: Machine, result: Stored | Exception | None) -> float | None:
    """Complete a write, confirmed or not; return the difference that is known afterwards."""
    confirmation: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    machine.clock.watch(confirmation, asked_at=machine.uptime, broker=1)
    if isinstance(result, Exception):
        confirmation.set_exception(result)
    else:
        confirmation.set_result(result)
    await asyncio.sleep(0)
    return machine.clock.difference


async def test_a_confirmed_write_tells_the_time_where_the_broker_gave_it() -> None:
    machine = Machine(HOUR)
    right = round(machine.broker_date() * 1000)
    assert await confirmed(machine, None) is None
    assert await confirmed(machine, Stored(right, 0)) is None
    assert await confirmed(machine, Stored(1_234, 1)) is None, "as the embedded broker confirms"
    assert await confirmed(machine, RuntimeError()) is None
    assert await confirmed(machine, Stored(right, 1)) == pytest.approx(HOUR, abs=0.01)


async def test_a_write_that_is_given_up_tells_nothing() -> None:
    machine = Machine()
    confirmation: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    machine.clock.watch(confirmation, asked_at=machine.uptime)
    confirmation.cancel()
    await asyncio.sleep(0)
    assert machine.clock.difference is None


async def test_writes_are_looked_at_once_a_second() -> None:
    machine = Machine()
    machine.hear()
    wrong = Stored(round((machine.broker_date() - HOUR) * 1000), 1)
    machine.uptime += ANSWERS_EVERY_SECONDS / 2
    assert await confirmed(machine, wrong) == 0.0
    machine.uptime += ANSWERS_EVERY_SECONDS
    assert await confirmed(machine, wrong) == pytest.approx(HOUR, abs=2)


def test_the_steady_clock_is_one_that_nobody_sets() -> None:
    clock = BrokerClock(limit_seconds=LIMIT)
    before = clock.steady()
    assert 0 <= clock.steady() - before < 60


def voter(fetched: int, caught_up: int) -> dict[str, int]:
    return {
        "replica_id": 1,
        "log_end_offset": 1,
        "last_fetch_timestamp": fetched,
        "last_caught_up_timestamp": caught_up,
    }


@pytest.mark.parametrize(
    ("voters", "told"),
    [
        ([], None),
        ([voter(-1, -1)], None),
        ([voter(1_000, 900), voter(2_000, 2_000)], 2_000),
        ([voter(1_000, 1_500)], 1_500),
    ],
)
def test_the_cluster_tells_the_latest_time_of_its_quorum(voters: list[dict[str, int]], told: int | None) -> None:
    assert present_ms({"topics": [{"partitions": [{"voters": voters}]}]}) == told


def test_a_refused_question_for_the_time_has_no_answer() -> None:
    assert present_ms({"error_code": 31, "topics": []}) is None


def test_the_question_is_about_the_metadata_log() -> None:
    assert QuorumRequest().build(QuorumRequest_v1).to_object()["topics"][0]["topic"] == "__cluster_metadata"
