from __future__ import annotations

import pytest

from pipeline.runtime.health import Health, Progress, Undone, judge_liveness, judge_readiness
from tests.fakes.stream import TOPIC, FakeStatus


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


ONE, OTHER = (TOPIC, 1), (TOPIC, 2)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(now=clock)


@pytest.mark.parametrize(
    ("messages", "on_purpose", "idle", "alive", "says"),
    [
        (0, False, 10_000.0, True, "nothing waits"),
        (5, False, 59.0, True, "working, last progress 59 s ago"),
        (5, True, 61.0, True, "waiting for a known reason"),
        (5, False, 61.0, False, "5 messages wait in partition 1, and nothing of it was committed for 61 s"),
        (5, False, 60.0, False, "stuck"),
    ],
)
def test_a_worker_is_alive_unless_messages_wait_without_a_known_reason(
    *,
    messages: int,
    on_purpose: bool,
    idle: float,
    alive: bool,
    says: str,
    clock: Clock,
    progress: Progress,
) -> None:
    for _ in range(2):
        progress.look({ONE: Undone(7, messages)}, ())
    clock.now += idle
    if on_purpose:
        progress.look({ONE: Undone(7, messages)}, {ONE})
    health = judge_liveness(progress=progress, stall_timeout_seconds=60.0)
    assert (health.ok, says in health.detail) == (alive, True)


def test_a_partition_that_is_stuck_is_noticed_while_the_others_go_on(clock: Clock, progress: Progress) -> None:
    for second in range(100):
        progress.look({ONE: Undone(7, 3), OTHER: Undone(second, 50)}, ())
        clock.now += 1
    assert (progress.slowest(), progress.seconds_without(), progress.seconds_stuck()) == (ONE, 100, 100)


def test_a_partition_that_waits_on_purpose_is_excused_and_no_other(clock: Clock, progress: Progress) -> None:
    for _ in range(100):
        progress.look({ONE: Undone(7, 3), OTHER: Undone(9, 50)}, {ONE})
        clock.now += 1
    assert (progress.slowest(), progress.seconds_stuck()) == (OTHER, 100)
    progress.look({ONE: Undone(7, 3)}, ())
    assert (progress.slowest(), progress.seconds_without(), progress.seconds_stuck()) == (ONE, 100, 1)


def test_time_counts_from_when_something_waits_and_not_from_its_own(clock: Clock, progress: Progress) -> None:
    progress.look({ONE: Undone(7, 0)}, ())
    clock.now += 1_000
    progress.look({ONE: Undone(7, 0)}, ())
    assert (progress.slowest(), progress.seconds_without()) == (None, 0)
    progress.look({ONE: Undone(7, 1)}, ())
    clock.now += 5
    assert (progress.slowest(), progress.seconds_without()) == (ONE, 5)
    progress.look({ONE: Undone(8, 1)}, ())
    assert progress.seconds_without() == 0
    progress.look({}, ())
    assert progress.slowest() is None


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
    status = FakeStatus(hold_reason=hold, retrying=retrying)
    assert judge_readiness(stopping=stopping, fault=fault, joined=joined, status=status) == expected


def test_what_an_operator_has_to_see_to_comes_before_what_goes_away_by_itself() -> None:
    def told(hold: str | None) -> Health:
        return judge_readiness(
            stopping=False,
            fault=None,
            joined=True,
            status=FakeStatus(hold_reason=hold),
            complaint="partitions were added",
        )

    assert told(None) == Health(ok=False, detail="partitions were added")
    assert told("check the key") == Health(ok=False, detail="partitions were added; check the key")
    assert told("were added") == Health(ok=False, detail="partitions were added"), "what is held because of it"
