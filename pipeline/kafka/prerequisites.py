"""What message batches need before they can be decided: schemas, and the state of their partition.

While a prerequisite is unavailable, the partitions that need it hold: nothing is decided, and nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import MessageBatch, Partition

logger = structlog.get_logger(__name__)

FIRST_RETRY_SECONDS: Final = 0.5
LAST_RETRY_SECONDS: Final = 15.0

Item = TypeVar("Item")


class PrerequisiteAwayError(Exception):
    """A prerequisite is unavailable; the text says why and what to check."""


class Prerequisite(Protocol[Item]):
    """One kind of prerequisite, and how to obtain it. ``words`` name it in the log."""

    words: str
    hold: HoldReason

    def missing_for(self, partition: int) -> set[Item]:
        """Return what must be obtained before any batch of a partition can be decided."""

    def missing(self, batch: MessageBatch) -> set[Item]:
        """Return what must be obtained before a batch can be decided."""

    async def obtain(self, item: Item) -> None:
        """Obtain one missing item. Afterwards it is not missing any more, even if it turned out not to exist.

        Raises:
            PrerequisiteAwayError: it is unavailable; try again later.
        """

    async def forget(self, partitions: Collection[int]) -> None:
        """Forget what was obtained for partitions that are given up."""


class Prerequisites:
    """Obtains what is missing, kind by kind, and knows which partitions hold because something is unavailable.

    ``on_change`` is called when a partition starts or stops to hold.
    """

    def __init__(self, *kinds: Prerequisite[Any]) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._kinds = kinds
        self._away: dict[Partition, tuple[Prerequisite[Any], str]] = {}
        self._obtaining: Counter[Partition] = Counter()

    @property
    def is_obtaining(self) -> bool:
        """Whether something is being obtained."""
        return bool(self._obtaining)

    def is_obtaining_for(self, partition: Partition) -> bool:
        """Return whether something is being obtained that a partition needs."""
        return partition in self._obtaining

    def are_met(self, batch: MessageBatch) -> bool:
        """Return whether a batch can be decided now. The answer may be different a minute later."""
        return not any(kind.missing(batch) for kind in self._kinds)

    def are_met_for(self, partition: int) -> bool:
        """Return whether nothing is missing that every batch of a partition needs."""
        return not any(kind.missing_for(partition) for kind in self._kinds)

    async def obtain_for(self, partition: Partition) -> None:
        """Obtain what every batch of a partition needs; retries while it is unavailable."""
        for kind in self._kinds:
            await self._obtain(partition, kind, partial(kind.missing_for, partition[1]))

    async def obtain(self, partition: Partition, batch: MessageBatch) -> None:
        """Obtain what a batch needs; retries while it is unavailable.

        Nothing is missing when this returns, until the next `await`.
        """
        while not self.are_met(batch):
            for kind in self._kinds:
                await self._obtain(partition, kind, partial(kind.missing, batch))

    async def forget(self, partitions: Collection[Partition]) -> None:
        """Forget partitions that are given up."""
        for partition in partitions:
            self._here_again(partition)
        for kind in self._kinds:
            await kind.forget([number for _, number in partitions])

    def reason(self, partition: Partition | None = None) -> str | None:
        """Return why a partition, or with None any partition, holds; None when nothing is unavailable."""
        found = self._away.get(partition) if partition is not None else next(iter(self._away.values()), None)
        return None if found is None else found[1]

    def holds(self) -> set[HoldReason]:
        """Return the reasons for which partitions hold."""
        return {kind.hold for kind, _ in self._away.values()}

    async def _obtain(self, partition: Partition, kind: Prerequisite[Any], missing_now: Callable[[], set[Any]]) -> None:
        """Obtain everything that is missing concurrently: garbage may name a thousand schemas that do not exist."""
        retry_seconds = FIRST_RETRY_SECONDS
        self._obtaining[partition] += 1
        try:
            while missing := missing_now():  # one item may be forgotten while another is obtained
                answers = await asyncio.gather(*map(kind.obtain, missing), return_exceptions=True)
                errors = [answer for answer in answers if answer is not None]
                for error in errors:
                    if not isinstance(error, PrerequisiteAwayError):
                        raise error
                if errors:
                    self._is_away(partition, kind, str(errors[0]))
                    await asyncio.sleep(retry_seconds)
                    retry_seconds = min(2 * retry_seconds, LAST_RETRY_SECONDS)
        finally:
            self._obtaining[partition] -= 1
            if not self._obtaining[partition]:
                del self._obtaining[partition]
        self._here_again(partition)

    def _is_away(self, partition: Partition, kind: Prerequisite[Any], reason: str) -> None:
        if reason not in {known for _, known in self._away.values()}:
            logger.error("prerequisites unavailable, holding", needed=kind.words, reason=reason)
        self._away[partition] = (kind, reason)
        self.on_change()

    def _here_again(self, partition: Partition) -> None:
        found = self._away.pop(partition, None)
        if found is not None and not self._away:
            logger.info("prerequisites available again", needed=found[0].words)
        if found is not None:
            self.on_change()
