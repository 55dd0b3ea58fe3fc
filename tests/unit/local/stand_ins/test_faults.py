from __future__ import annotations

import msgspec
import pytest

from pipeline.local.stand_ins.faults import (
    AnswerStatus,
    CutAnswer,
    Fault,
    FaultPlan,
    Refuse,
    Reset,
    Slow,
    Stall,
    TakeAndDrop,
    kind_of,
)

FAULTS = (AnswerStatus(status=429), Slow(seconds=0.3), Reset(), TakeAndDrop(), CutAnswer())


def plan() -> FaultPlan:
    return FaultPlan(lambda: FAULTS)


def test_nothing_goes_wrong_unless_it_is_ordered() -> None:
    assert plan().draw() is None


def test_faults_come_in_the_order_in_which_they_were_ordered() -> None:
    made = plan()
    made.order(Reset(), times=2)
    made.order(Stall(), times=0)
    made.order(Slow(seconds=1.0))
    assert [made.draw() for _ in range(4)] == [Reset(), Reset(), Slow(seconds=1.0), None]


def test_a_fault_without_a_number_stays_until_it_is_cleared() -> None:
    made = plan()
    made.order(Reset(), times=None)
    assert [made.draw() for _ in range(3)] == [Reset()] * 3
    made.clear()
    assert made.draw() is None


def test_the_same_seed_draws_the_same_faults() -> None:
    first, second = plan(), plan()
    for made in (first, second):
        made.schedule(seed=7, rate=0.5)
    drawn = [first.draw() for _ in range(400)]
    assert drawn == [second.draw() for _ in range(400)]
    assert 100 < sum(fault is not None for fault in drawn) < 300
    assert len({kind_of(fault) for fault in drawn if fault is not None}) == 5


def test_clearing_ends_the_schedule() -> None:
    made = plan()
    made.schedule(seed=7, rate=1.0)
    assert made.draw() is not None
    made.clear()
    assert made.draw() is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"kind":"status","status":503}', AnswerStatus(status=503)),
        ('{"kind":"status","status":429,"retry_after":"3"}', AnswerStatus(status=429, retry_after="3")),
        ('{"kind":"slow","seconds":2}', Slow(seconds=2.0)),
        ('{"kind":"reset"}', Reset()),
    ],
)
def test_faults_are_read_from_json(text: str, fault: Fault) -> None:
    decoded: Fault = msgspec.json.decode(text, type=Fault)
    assert (decoded, kind_of(decoded)) == (fault, kind_of(fault))


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Refuse(), None),
        (Refuse(text="poison"), 400),
        (Refuse(text="cure"), None),
        (Refuse(max_bytes=5), 413),
        (Refuse(max_bytes=6, text="poison"), 400),
        (Refuse(max_bytes=6), None),
    ],
)
def test_a_refusal_looks_at_the_body(fault: Refuse, status: int | None) -> None:
    assert fault.status_for(b"poison") == status
