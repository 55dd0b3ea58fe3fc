"""The lane of a destination's faults, and the ways in which all of them fail."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.local.stand_ins.faults import AnswerStatus, CutAnswer, Refuse, Reset, Stall, TakeAndDrop
from tests.chaos.plan import drawn
from tests.integration.clients import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pipeline.local.stand_ins.faults import Fault
    from tests.chaos.stage import Side, Stage

    Break: TypeAlias = Callable[[Stage, Side], Awaitable[None]]

_TIMES: Final = 3
_MET_SECONDS: Final = 8.0
_UNKNOWN_ANSWERS: Final = (302, 418, 404, 501)


async def break_destination(stage: Stage, side: Side) -> None:
    """Inject every fault of a destination, one after another."""
    faults = side.destination.faults
    for name in drawn(tuple(faults), stage.chance, rounds=stage.form.rounds * (1 if stage.form.short else 2)):
        await stage.rest()
        async with side.lock:
            stage.inject(f"{side.destination.title}: {name}")
            before = side.stand_in.affected
            try:
                await faults[name](stage, side)
                await _affected(side, before + 1)
            finally:
                side.affected[name] += side.stand_in.affected - before
                side.stand_in.faults.clear()
                side.stand_in.resume()


def some(fault: Callable[[], Fault], *, times: int = _TIMES) -> Break:
    """Affect the next requests, and wait until they have arrived."""

    async def break_some(_: Stage, side: Side) -> None:
        before = side.stand_in.affected
        side.stand_in.faults.order(fault(), times=times)
        await _affected(side, before + times)

    return break_some


async def _affected(side: Side, requests: int) -> None:
    """Wait until the fault has affected this many requests. The wait is short: the sinks may all be dead or cut off."""
    with suppress(AssertionError):
        await eventually(lambda: side.stand_in.affected >= requests, within_seconds=_MET_SECONDS)


def for_a_while(fault: Callable[[Stage], Fault]) -> Break:
    """Affect every request for a while."""

    async def break_all(stage: Stage, side: Side) -> None:
        side.stand_in.faults.order(fault(stage), times=None)
        await asyncio.sleep(stage.form.outage_seconds)

    return break_all


async def _unknown(stage: Stage, side: Side) -> None:
    for status in _UNKNOWN_ANSWERS:
        side.stand_in.faults.order(AnswerStatus(status=status, body="<html>?</html>"), times=2)
    await asyncio.sleep(stage.form.outage_seconds)


def some_ids(stage: Stage) -> str:
    """Return how one id in 256 begins; those of the traffic are random hexadecimal digits."""
    return f"{stage.chance.randrange(256):02x}"


COMMON: Final[Mapping[str, Break]] = {
    "429 with Retry-After in seconds": some(lambda: AnswerStatus(status=429, retry_after="1")),
    "429 with Retry-After as a date": some(
        lambda: AnswerStatus(status=429, retry_after=formatdate(time.time() + 1, usegmt=True)),
    ),
    "429 with an absurd Retry-After": some(lambda: AnswerStatus(status=429, retry_after="99999999999999999999")),
    "500": some(lambda: AnswerStatus(status=500)),
    "503": some(lambda: AnswerStatus(status=503)),
    "no answer in time": for_a_while(lambda _: Stall()),
    "reset in the middle of the body": some(Reset),
    "accepted, connection dropped": some(TakeAndDrop),
    "accepted, answer cut": some(CutAnswer),
    "400 for everything": for_a_while(lambda _: AnswerStatus(status=400)),
    "unknown answers": _unknown,
    "401": for_a_while(lambda _: AnswerStatus(status=401)),
    "413 for large requests": for_a_while(lambda _: Refuse(max_bytes=20_000)),
}
"""The faults that every destination has."""
