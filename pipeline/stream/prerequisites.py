"""Obtain what a record batch needs before the role's work sees it: schemas, or what is remembered of its partition.

The work decides without waiting for anything, so a batch that needs more than there is waits here, and what follows it
in the same partition waits behind it. While it cannot be had this is a hold: nothing is decided, nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeAlias, TypeVar

import structlog

from pipeline.core.hold_reasons import HoldReason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import MessageBatch
    from pipeline.stream.work import Work, WorkState

logger = structlog.get_logger(__name__)

FIRST_RETRY_SECONDS: Final = 0.5
LAST_RETRY_SECONDS: Final = 15.0

Need = TypeVar("Need")
_Partition: TypeAlias = tuple[str, int]


class PrerequisiteAwayError(Exception):
    """What is needed cannot be had now; the text says why and what to check."""


class Prerequisites(Protocol[Need]):
    """What batches need, and how it is had. ``words`` name it in the log."""

    words: str

    def missing_for(self, partition: int) -> set[Need]:
        """Return what must be obtained before any batch of a partition can be decided."""

    def missing(self, batch: MessageBatch) -> set[Need]:
        """Return what must be obtained before a batch can be decided."""

    async def obtain(self, need: Need) -> None:
        """Obtain it; afterwards it is not missing, whatever came of it.

        Raises:
            PrerequisiteAwayError: it cannot be had now.
        """

    async def forget(self, partitions: Collection[int]) -> None:
        """Forget what was obtained for partitions that are given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedState:
    """How it goes (`pipeline.stream.work.WorkState`)."""

    hold_reason: str | None
    holds: frozenset[HoldReason]
    retrying: bool


class PrerequisitesFirst(Generic[Need]):
    """A role's work that is given only what it can decide (`pipeline.stream.work.Work`)."""

    def __init__(self, work: Work, needs: Prerequisites[Need], *, hold: HoldReason) -> None:
        """Take the work, what it needs, and what the hold is called while that cannot be had."""
        self._work = work
        self._needs = needs
        self._hold = hold
        self._waiting: dict[_Partition, deque[MessageBatch]] = {}
        self._tasks: dict[_Partition, asyncio.Task[None]] = {}
        self._away: dict[_Partition, str] = {}
        self._moved = asyncio.Event()
        self._fault: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Run the work until cancelled, or until a look-up fails in a way that no retry can mend."""
        self._fault = asyncio.get_running_loop().create_future()
        work = asyncio.ensure_future(self._work.run())
        try:
            await asyncio.wait({work, self._fault}, return_when=asyncio.FIRST_COMPLETED)
            (self._fault if self._fault.done() else work).result()
        finally:
            for task in (work, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(work, *self._tasks.values(), return_exceptions=True)

    def assigned(self, partitions: Collection[_Partition]) -> None:
        """Begin to obtain what every batch of these partitions will need."""
        for topic, number in partitions:
            if self._needs.missing_for(number):
                self._begin((topic, number))
        self._work.assigned(partitions)

    def accept(self, batch: MessageBatch) -> None:
        """Hand a batch on, at once where it needs nothing more and nothing of its partition waits."""
        place = (batch.topic, batch.partition)
        waiting = self._waiting.get(place)
        if waiting is not None:
            waiting.append(batch)
        elif self._needs.missing(batch):
            self._begin(place, batch)
        else:
            self._work.accept(batch)

    def _begin(self, place: _Partition, *batches: MessageBatch) -> None:
        self._waiting[place] = deque(batches)
        task = self._tasks[place] = asyncio.create_task(self._wait(place))
        task.add_done_callback(self._report)

    async def drain(self, *, deadline_seconds: float) -> None:
        """Settle what is in hand; what waits for something that cannot be had is not waited for."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + deadline_seconds
        await self._until_handed_on(set(self._waiting), deadline_seconds)
        await self._work.drain(deadline_seconds=max(0.0, deadline - clock()))

    async def revoke(self, partitions: Collection[_Partition], *, timeout_seconds: float) -> None:
        """Settle what can be settled within the time, and forget what waits."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_seconds
        places = {(place[0], place[1]) for place in partitions}
        await self._until_handed_on(places, timeout_seconds)
        tasks = [task for place in places if (task := self._tasks.pop(place, None)) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for place in places:
            self._waiting.pop(place, None)
            self._here_again(place)
        await self._work.revoke(partitions, timeout_seconds=max(0.0, deadline - clock()))
        await self._needs.forget([number for _, number in places])

    def state(self) -> WorkState:
        """Tell how it goes: this hold first, for it comes before everything else."""
        inner = self._work.state()
        reason = next(iter(self._away.values()), None)
        return GuardedState(
            hold_reason=reason or inner.hold_reason,
            holds=inner.holds | {self._hold} if self._away else inner.holds,
            retrying=bool(self._waiting) or inner.retrying,
        )

    async def _wait(self, place: _Partition) -> None:
        waiting = self._waiting[place]
        await self._obtain(place, partial(self._needs.missing_for, place[1]))
        while waiting:
            await self._obtain(place, partial(self._needs.missing, waiting[0]))
            self._work.accept(waiting.popleft())
        del self._waiting[place], self._tasks[place]
        self._moved.set()

    async def _obtain(self, place: _Partition, missing_now: Callable[[], set[Need]]) -> None:
        """Obtain what is missing, all of it side by side: garbage may name a thousand schemas that do not exist."""
        retry_seconds = FIRST_RETRY_SECONDS
        while missing := missing_now():  # one may be forgotten while another is obtained
            answers = await asyncio.gather(*map(self._needs.obtain, missing), return_exceptions=True)
            errors = [answer for answer in answers if answer is not None]
            for error in errors:
                if not isinstance(error, PrerequisiteAwayError):
                    raise error
            if errors:
                self._is_away(place, str(errors[0]))
                await asyncio.sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, LAST_RETRY_SECONDS)
        self._here_again(place)

    def _is_away(self, place: _Partition, reason: str) -> None:
        if reason not in self._away.values():
            logger.error("what messages need cannot be had, holding", needed=self._needs.words, reason=reason)
        self._away[place] = reason
        self._moved.set()

    def _here_again(self, place: _Partition) -> None:
        if self._away.pop(place, None) is not None and not self._away:
            logger.info("what messages need can be had again", needed=self._needs.words)

    async def _until_handed_on(self, places: Collection[_Partition], seconds: float) -> None:
        """Wait until nothing of these partitions waits but for what cannot be had, or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                while any(place in self._waiting and place not in self._away for place in places):
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            pass

    def _report(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self._fault is not None and not self._fault.done():
            self._fault.set_exception(error)
