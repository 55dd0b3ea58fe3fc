"""The lane of Segment's faults."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from pipeline.local.stand_ins.faults import AnswerStatus, CutAnswer, Refuse, Reset, Stall, TakeAndDrop
from tests.chaos.plan import SEGMENT_FAULTS, drawn
from tests.integration.clients import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pipeline.local.stand_ins.faults import Fault
    from tests.chaos.stage import Stage

_TIMES: Final = 3
_MET_SECONDS: Final = 8.0
_UNKNOWN_ANSWERS: Final = (302, 418, 404, 501)


async def break_segment(stage: Stage) -> None:
    """Inject every fault of Segment, one after another."""
    for name in drawn(SEGMENT_FAULTS, stage.chance, rounds=stage.form.rounds * (1 if stage.form.short else 2)):
        await stage.rest()
        async with stage.segment_lock:
            stage.inject(name)
            before = stage.segment.affected
            try:
                await _FAULTS[name](stage)
                await _affected(stage, before + 1)
            finally:
                stage.affected[name] += stage.segment.affected - before
                stage.segment.faults.clear()
                stage.segment.resume()


def _some(fault: Callable[[], Fault]) -> Callable[[Stage], Awaitable[None]]:
    """Affect the next requests, and wait until they have arrived."""

    async def break_some(stage: Stage) -> None:
        before = stage.segment.affected
        stage.segment.faults.order(fault(), times=_TIMES)
        await _affected(stage, before + _TIMES)

    return break_some


async def _affected(stage: Stage, requests: int) -> None:
    """Wait until the fault has affected this many requests. The wait is short: the sinks may all be dead or cut off."""
    with suppress(AssertionError):
        await eventually(lambda: stage.segment.affected >= requests, within_seconds=_MET_SECONDS)


def _for_a_while(fault: Callable[[Stage], Fault]) -> Callable[[Stage], Awaitable[None]]:
    """Affect every request for a while."""

    async def break_all(stage: Stage) -> None:
        stage.segment.faults.order(fault(stage), times=None)
        await asyncio.sleep(stage.form.outage_seconds)

    return break_all


async def _unknown(stage: Stage) -> None:
    for status in _UNKNOWN_ANSWERS:
        stage.segment.faults.order(AnswerStatus(status=status, body="<html>?</html>"), times=2)
    await asyncio.sleep(stage.form.outage_seconds)


def _single_records(stage: Stage) -> Fault:
    """Refuse about one record in 250, by its id; traffic ids are random hexadecimal digits."""
    return Refuse(text=f'"messageId":"{stage.chance.randrange(256):02x}')


_FAULTS: Final[Mapping[str, Callable[[Stage], Awaitable[None]]]] = {
    "429 with Retry-After in seconds": _some(lambda: AnswerStatus(status=429, retry_after="1")),
    "429 with Retry-After as a date": _some(
        lambda: AnswerStatus(status=429, retry_after=formatdate(time.time() + 1, usegmt=True)),
    ),
    "429 with an absurd Retry-After": _some(lambda: AnswerStatus(status=429, retry_after="99999999999999999999")),
    "500": _some(lambda: AnswerStatus(status=500)),
    "503": _some(lambda: AnswerStatus(status=503)),
    "no answer in time": _for_a_while(lambda _: Stall()),
    "reset in the middle of the body": _some(Reset),
    "accepted, connection dropped": _some(TakeAndDrop),
    "accepted, answer cut": _some(CutAnswer),
    "400 for single records": _for_a_while(_single_records),
    "400 for everything": _for_a_while(lambda _: AnswerStatus(status=400)),
    "unknown answers": _unknown,
    "401": _for_a_while(lambda _: AnswerStatus(status=401)),
    "413 for large requests": _for_a_while(lambda _: Refuse(max_bytes=20_000)),
}
