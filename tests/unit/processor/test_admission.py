"""When a batch may be written, and who is told of a hold."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.core.policy import Policy
from pipeline.processor.admission import Admission
from pipeline.processor.deciding import JSON_ONLY, NO_STATE, DecidedBatch, decide_batch
from tests.builders import SEGMENT
from tests.fakes.processor import Batch, Health, as_far_as_it_goes
from tests.fakes.stream import TOPIC, FakeMessage

LIMITS = BreakerLimits(max_share=0.05, window=100)


def all_bad(partition: int) -> DecidedBatch:
    """Return a batch that the breaker does not allow."""
    messages = [FakeMessage(offset=offset, partition=partition, value=b"{broken") for offset in range(11)]
    return decide_batch(Batch([], "bad", messages), Policy(records=SEGMENT), JSON_ONLY, NO_STATE.of(partition))


@pytest.fixture
def admission() -> Admission:
    return Admission(Breaker(LIMITS), Health())


async def test_a_hold_and_its_end_are_each_announced_once(admission: Admission) -> None:
    reasons: list[str | None] = []
    admission.on_change = lambda: reasons.append(admission.reason((TOPIC, 3)))
    waiting = asyncio.create_task(admission.wait(all_bad(3)))
    await as_far_as_it_goes()
    admission.forget([(TOPIC, 4)])
    assert [reason is None for reason in reasons] == [False], "another partition was revoked: nothing changed"
    admission.forget([(TOPIC, 3), (TOPIC, 4)])
    assert [reason is None for reason in reasons] == [False, True]
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_a_partition_is_held_for_its_own_reason_and_no_other_is(admission: Admission) -> None:
    waiting = asyncio.create_task(admission.wait(all_bad(3)))
    await as_far_as_it_goes()
    assert "partition 3" in (admission.reason((TOPIC, 3)) or "")
    assert "partition 3" in (admission.reason() or "")
    assert admission.reason((TOPIC, 4)) is None
    waiting.cancel()
    await asyncio.wait({waiting})
