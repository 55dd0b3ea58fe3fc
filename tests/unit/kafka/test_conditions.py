from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.conditions import Condition
from pipeline.kafka.prerequisites import PrerequisiteAwayError, Prerequisites
from pipeline.stream.prerequisites import PrerequisitesFirst
from tests.fakes.stream import FakeMessage, FakeStep, UnsettledBatch
from tests.fakes.virtual_time import run_virtual

TOLD = "this machine's clock is wrong"
WORDS = "a clock that is right"


class Clock:
    def __init__(self) -> None:
        self.reason: str | None = TOLD
        self.condition = Condition(WORDS, HoldReason.CLOCK, lambda: self.reason)


def batch() -> UnsettledBatch:
    return UnsettledBatch([FakeMessage(offset=0)])


async def test_a_condition_is_missing_for_every_batch_and_no_partition_waits_for_it_to_be_got_ready() -> None:
    clock = Clock()
    assert clock.condition.missing(batch()) == {WORDS}
    assert clock.condition.missing_for(0) == set()
    with pytest.raises(PrerequisiteAwayError, match=TOLD):
        await clock.condition.obtain(WORDS)
    clock.reason = None
    assert clock.condition.missing(batch()) == set()
    await clock.condition.obtain(WORDS)
    await clock.condition.forget([0])
    assert clock.condition.missing(batch()) == set()


def test_batches_wait_with_the_reason_until_the_condition_is_met() -> None:
    async def story() -> None:
        clock, step = Clock(), FakeStep()
        first = PrerequisitesFirst(step, Prerequisites(clock.condition))
        running = asyncio.ensure_future(first.run())
        await asyncio.sleep(0)
        with capture_logs() as logs:
            first.accept(batch())
            await asyncio.sleep(100)
            state = first.status()
            assert (state.hold_reason, set(state.holds), step.batches) == (TOLD, {HoldReason.CLOCK}, [])
            clock.reason = None
            await asyncio.sleep(100)
        assert len(step.batches) == 1
        assert first.status().hold_reason is None
        assert not first.status().holds
        assert [line["log_level"] for line in logs] == ["error", "info"]
        running.cancel()
        await asyncio.wait({running})

    run_virtual(story())
