"""Count settled batches, and log what they show."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from pipeline.metrics.summary import Summary
from pipeline.processor.deciding import sum_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.metrics.processor import ProcessorMetrics
    from pipeline.metrics.rules import RulesMetrics
    from pipeline.processor.deciding import DecidedBatch

logger = structlog.get_logger(__name__)

FOREIGN_KEY_WARNING_SECONDS: Final = 60.0
SETTLED: Final = "events settled"
SUMMARY_FIELDS: Final = ("batches", "received", "forwarded", "dropped", "rejected", "repeated")
"""Settled batches, their messages, in total and by outcome, and writes to Kafka that were retried."""


class ProcessorCounts:
    """Counts batches whose effects are all confirmed. Counting several at once costs no more than counting one."""

    def __init__(self, metrics: ProcessorMetrics, rules_metrics: RulesMetrics) -> None:
        """Start with nothing counted."""
        self._metrics = metrics
        self._rules_metrics = rules_metrics
        self._summary = Summary(SETTLED, fields=SUMMARY_FIELDS)
        self._next_warning = 0.0

    def settled(self, finished: Sequence[DecidedBatch]) -> None:
        """Count settled batches; at least one."""
        tally = sum_of([decided.tally for decided in finished])
        forwarded = tally.forwarded
        self._metrics.settled(
            messages=tally.received, forwarded=forwarded, dropped=tally.dropped, rejected=tally.rejected
        )
        self._rules_metrics.decided(tally.kept_by, tally.dropped_by, tally.shadowed_by)
        if tally.filled:
            self._metrics.filled(tally.filled)
        if tally.untimed:
            self._metrics.untimed(tally.untimed)
        if tally.ignored_ids:
            self._metrics.ignored_ids(tally.ignored_ids)
        if tally.foreign_keys:
            self._metrics.foreign_keys(tally.foreign_keys)
            self._warn_of_foreign_keys(next(decided for decided in finished if decided.tally.foreign_keys))
        self._summary.count(
            batches=len(finished),
            received=tally.received,
            forwarded=sum(forwarded.values()),
            dropped=sum(tally.dropped.values()),
            rejected=sum(tally.rejected.values()),
        )

    def write_repeated(self) -> None:
        """Called at each retry of a write to Kafka."""
        self._summary.count(repeated=1)

    def close(self) -> None:
        """Log the last summary."""
        self._summary.close()

    def _warn_of_foreign_keys(self, decided: DecidedBatch) -> None:
        """Log a warning, at most once a minute, about messages that are not keyed by user."""
        now = asyncio.get_running_loop().time()
        if now < self._next_warning:
            return
        self._next_warning = now + FOREIGN_KEY_WARNING_SECONDS
        logger.warning(
            "messages are not keyed by their user, so the order of a user's events is not guaranteed; key the raw "
            "topic by external_id, else subscription_id",
            partition=decided.batch.partition,
            foreign=decided.tally.foreign_keys,
            forwarded=len(decided.records),
        )
