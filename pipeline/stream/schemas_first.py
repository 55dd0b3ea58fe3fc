"""Look up the schemas of a record batch before the role's work sees it.

The work decodes without waiting for anything, so what names an unknown schema waits here, and what follows it in the
same partition waits behind it. While the registry is away this is a hold: nothing is decided, nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.messages import MessageBatch
    from pipeline.stream.work import Work, WorkState

logger = structlog.get_logger(__name__)

FIRST_RETRY_SECONDS: Final = 0.5
LAST_RETRY_SECONDS: Final = 15.0

_Partition: TypeAlias = tuple[str, int]


class SchemasAwayError(Exception):
    """A schema cannot be looked up now; the text says why and what to check."""


class Schemas(Protocol):
    """What is known of schemas, and how more is learnt."""

    def missing(self, batch: MessageBatch) -> set[bytes]:
        """Return the schemas that must be looked up before a batch can be read."""

    async def look_up(self, schema: bytes) -> None:
        """Look a schema up; afterwards it is not missing, whatever the answer was.

        Raises:
            SchemasAwayError: there is no answer now.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemasFirstState:
    """How it goes (`pipeline.stream.work.WorkState`)."""

    hold_reason: str | None
    retrying: bool


class SchemasFirst:
    """A role's work that takes only what it can read (`pipeline.stream.work.Work`)."""

    def __init__(self, work: Work, schemas: Schemas, *, holding: Callable[[bool], None]) -> None:
        """Take the work, the schemas, and whom to tell that a hold begins or ends."""
        self._work = work
        self._schemas = schemas
        self._holding = holding
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

    def accept(self, batch: MessageBatch) -> None:
        """Hand a batch on, at once where its schemas are known and nothing of its partition waits."""
        place = (batch.topic, batch.partition)
        waiting = self._waiting.get(place)
        if waiting is not None:
            waiting.append(batch)
        elif self._schemas.missing(batch):
            self._waiting[place] = deque((batch,))
            task = self._tasks[place] = asyncio.create_task(self._wait(place))
            task.add_done_callback(self._report)
        else:
            self._work.accept(batch)

    async def drain(self, *, deadline_seconds: float) -> None:
        """Settle what is in hand; what waits for a registry that is away is not waited for."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + deadline_seconds
        await self._until_handed_on(set(self._waiting), deadline_seconds)
        await self._work.drain(deadline_seconds=max(0.0, deadline - clock()))

    async def revoke(self, partitions: Collection[_Partition], *, timeout_seconds: float) -> None:
        """Settle what can be settled within the time, and forget what waits for its schema."""
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

    def state(self) -> WorkState:
        """Tell how it goes: the registry's hold first, for it comes before everything else."""
        inner = self._work.state()
        reason = next(iter(self._away.values()), None)
        return SchemasFirstState(
            hold_reason=reason or inner.hold_reason, retrying=bool(self._waiting) or inner.retrying
        )

    async def _wait(self, place: _Partition) -> None:
        waiting = self._waiting[place]
        while waiting:
            await self._learn(place, waiting[0])
            self._work.accept(waiting.popleft())
        del self._waiting[place], self._tasks[place]
        self._moved.set()

    async def _learn(self, place: _Partition, batch: MessageBatch) -> None:
        """Look up what a batch needs, all of it side by side: garbage may name a thousand schemas that do not exist."""
        retry_seconds = FIRST_RETRY_SECONDS
        while missing := self._schemas.missing(batch):  # one may be forgotten while another is looked up
            answers = await asyncio.gather(*map(self._schemas.look_up, missing), return_exceptions=True)
            errors = [answer for answer in answers if answer is not None]
            for error in errors:
                if not isinstance(error, SchemasAwayError):
                    raise error
            if errors:
                self._is_away(place, str(errors[0]))
                await asyncio.sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, LAST_RETRY_SECONDS)
        self._here_again(place)

    def _is_away(self, place: _Partition, reason: str) -> None:
        if reason not in self._away.values():
            logger.error("schemas cannot be looked up, holding", reason=reason)
        self._away[place] = reason
        self._holding(True)  # noqa: FBT003 -- one fact
        self._moved.set()

    def _here_again(self, place: _Partition) -> None:
        if self._away.pop(place, None) is not None and not self._away:
            logger.info("schemas can be looked up again")
            self._holding(False)  # noqa: FBT003 -- one fact

    async def _until_handed_on(self, places: Collection[_Partition], seconds: float) -> None:
        """Wait until nothing of these partitions waits but for a registry that is away, or the time is over."""
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
