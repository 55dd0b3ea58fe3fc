"""What record batches need before they can be decided: schemas, and what is remembered of their partition.

While something cannot be had this is a hold of the partitions that need it: nothing is decided, nothing is lost.
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

Need = TypeVar("Need")


class PrerequisiteAwayError(Exception):
    """What is needed cannot be had now; the text says why and what to check."""


class Prerequisites(Protocol[Need]):
    """One kind of what batches need, and how it is had. ``words`` name it in the log."""

    words: str
    hold: HoldReason

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


class Needs:
    """Obtains what is missing, kind after kind, and knows for which partitions something cannot be had.

    ``on_change`` is called when a partition begins or ends to be held up.
    """

    def __init__(self, *kinds: Prerequisites[Any]) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._kinds = kinds
        self._away: dict[Partition, tuple[Prerequisites[Any], str]] = {}
        self._obtaining: Counter[Partition] = Counter()

    @property
    def is_obtaining(self) -> bool:
        """Whether something is being obtained."""
        return bool(self._obtaining)

    def is_obtaining_for(self, partition: Partition) -> bool:
        """Return whether something is being obtained that a partition needs."""
        return partition in self._obtaining

    def are_met(self, batch: MessageBatch) -> bool:
        """Return whether a batch can be decided now. What is true now may not be a minute later."""
        return not any(kind.missing(batch) for kind in self._kinds)

    def are_met_for(self, partition: int) -> bool:
        """Return whether nothing is missing that every batch of a partition needs."""
        return not any(kind.missing_for(partition) for kind in self._kinds)

    async def obtain_for(self, partition: Partition) -> None:
        """Obtain what every batch of a partition needs; repeats while it cannot be had."""
        for kind in self._kinds:
            await self._obtain(partition, kind, partial(kind.missing_for, partition[1]))

    async def obtain(self, partition: Partition, batch: MessageBatch) -> None:
        """Obtain what a batch needs; repeats while it cannot be had. In the step in which it returns, needs are met."""
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
        """Return why something that a partition, or any of them, needs cannot be had; None when it can."""
        found = self._away.get(partition) if partition is not None else next(iter(self._away.values()), None)
        return None if found is None else found[1]

    def holds(self) -> set[HoldReason]:
        """Return the causes for which partitions are held up."""
        return {kind.hold for kind, _ in self._away.values()}

    async def _obtain(
        self, partition: Partition, kind: Prerequisites[Any], missing_now: Callable[[], set[Any]]
    ) -> None:
        """Obtain what is missing, all of it side by side: garbage may name a thousand schemas that do not exist."""
        retry_seconds = FIRST_RETRY_SECONDS
        self._obtaining[partition] += 1
        try:
            while missing := missing_now():  # one may be forgotten while another is obtained
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

    def _is_away(self, partition: Partition, kind: Prerequisites[Any], reason: str) -> None:
        if reason not in {told for _, told in self._away.values()}:
            logger.error("what messages need cannot be had, holding", needed=kind.words, reason=reason)
        self._away[partition] = (kind, reason)
        self.on_change()

    def _here_again(self, partition: Partition) -> None:
        found = self._away.pop(partition, None)
        if found is not None and not self._away:
            logger.info("what messages need can be had again", needed=found[0].words)
        if found is not None:
            self.on_change()
