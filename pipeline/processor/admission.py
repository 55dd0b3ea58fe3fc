"""Hold a batch while the breaker objects to its dead letters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.core.breaker import Breaker, BreakerLimits
    from pipeline.core.messages import Partition
    from pipeline.kafka.store_health import StoreHealth
    from pipeline.processor.deciding import DecidedBatch

logger = structlog.get_logger(__name__)

ASK_AGAIN_SECONDS: Final = 5.0
"""How often a batch that holds asks the breaker again: batches of other partitions may have changed the answer."""


class Admission:
    """Decides whether a batch may be written, and knows which partitions hold because it may not.

    ``on_change`` is called when a partition starts or stops to hold.
    """

    def __init__(self, breaker: Breaker, store: StoreHealth) -> None:
        """Start without holds. In the log, a store that refuses writes counts as a hold, too."""
        self.breaker = breaker
        self.on_change: Callable[[], None] = lambda: None
        self._store = store
        self._reasons: dict[Partition, str] = {}
        self._logged = False

    def note(self, decided: DecidedBatch) -> None:
        """Count a batch without dead letters: it needs no permission."""
        self.breaker.note(records=decided.tally.received, bad=0)

    async def wait(self, decided: DecidedBatch) -> None:
        """Return when a batch may be written; from then on it counts as written."""
        partition = (decided.batch.topic, decided.batch.partition)
        tally = decided.tally
        while not self.breaker.admit(records=tally.received, bad=tally.alarming):
            self._hold(partition, _too_many_rejects(self.breaker.limits, decided))
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        if partition in self._reasons:
            self.forget([partition])

    def reason(self, partition: Partition | None = None) -> str | None:
        """Return why a partition, or with None any partition, holds; None when it does not."""
        if partition is not None:
            return self._reasons.get(partition)
        return next(iter(self._reasons.values()), None)

    def forget(self, partitions: Collection[Partition]) -> None:
        """Called with partitions that hold no more, or were revoked."""
        released = [partition for partition in partitions if self._reasons.pop(partition, None) is not None]
        if released:
            self.on_change()
        self._log()

    def _hold(self, partition: Partition, reason: str) -> None:
        if self._reasons.get(partition) != reason:
            self._reasons[partition] = reason
            self.on_change()
            self._log()

    def _log(self) -> None:
        """Log once when the processor starts to hold, and once when it resumes."""
        reason = self.reason() or self._store.hold_reason
        holds = reason is not None
        if holds and not self._logged:
            logger.error("processor holds", reason=reason)
        elif self._logged and not holds:
            logger.info("processor resumed")
        self._logged = holds


def _too_many_rejects(limits: BreakerLimits, decided: DecidedBatch) -> str:
    reasons = ", ".join(sorted({reason.value for _, reason in decided.tally.rejected}))
    return (
        f"more than {limits.max_share:.4g} of the last {limits.window} messages would become dead letters, and none of"
        f" these was written (partition {decided.batch.partition}; the reasons are {reasons}). They wait in Kafka, with"
        " all messages behind them. If a setting rejects good events, correct it and restart. If the events are really"
        " unusable, correct what writes them, for example OneSignal's event template, restart with"
        " PIPELINE_DEAD_LETTER_MAX_SHARE=1 until the dead-letter topic has them, then restore the setting"
    )
