"""Count, log and summarise what the lanes of a sink do."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import structlog

from pipeline.delivery.answers import answer_class, answer_name
from pipeline.delivery.decisions import Done, Hold, Refuse, Retry
from pipeline.delivery.doubts import UNCLEAR_WORDS, Doubts
from pipeline.delivery.holds import Holds, unknown_formats
from pipeline.metrics.summary import Summary
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.core.messages import MessageBatch
    from pipeline.delivery.answers import Response
    from pipeline.delivery.api import Api
    from pipeline.delivery.decisions import Settled
    from pipeline.delivery.lane import Lane
    from pipeline.delivery.limits import LearntLimits
    from pipeline.kafka.dead_letters import DeadLetter
    from pipeline.metrics.delivery import AcceptedFlush, DeliveryMetrics, Doubt

SUMMARY_FIELDS: Final = ("batches", "records", "rejected", "requests", "repeated", "bytes")
"""Message batches acknowledged, records accepted, records stored as dead letters, requests accepted, requests sent
again, and bytes of accepted requests. Each is counted when it happens."""


class DeliveryReport:
    """Counts and logs the results of requests, for all lanes of a sink.

    Args:
        api: The destination.
        metrics: The counters.
        limits: The size limit of requests, which may be lowered.
        wall_clock: Returns seconds since the epoch.
    """

    def __init__(
        self, *, api: Api, metrics: DeliveryMetrics, limits: LearntLimits, wall_clock: Callable[[], float]
    ) -> None:
        self._logger: structlog.stdlib.BoundLogger = structlog.get_logger(__name__).bind(destination=api.name)
        self._metrics = metrics
        self._limits = limits
        self._setting_bytes = self._limit_bytes = api.limits.max_bytes
        self._size_setting = variable(f"{api.name}_max_batch_bytes")
        self._wall_clock = wall_clock
        self._doubts = Doubts(self._logger, endpoint_setting=variable(f"{api.name}_endpoint"))
        self._summary = Summary("records delivered", fields=SUMMARY_FIELDS)
        self.holds = Holds(self._logger, wall_clock=wall_clock)

    @property
    def limit_bytes(self) -> int:
        """The current size limit of a request."""
        return self._limit_bytes

    def close(self) -> None:
        """Log the last summary."""
        self._summary.close()

    def received(self, records: int) -> None:
        """Count records that were read from Kafka."""
        self._metrics.received(records)

    def given_back(self, records: int) -> None:
        """Count records that were unsettled when their partition was revoked."""
        self._metrics.given_back(records)

    def departed(self, *, attempt: int) -> None:
        """Count an attempt that is sent."""
        if attempt > 1:
            self._summary.count(repeated=1)

    def answered(self, response: Response, *, seconds: float) -> None:
        """Count a response and its duration."""
        self._metrics.attempted(answer_class(response), seconds=seconds)

    def decided(
        self,
        decision: Settled,
        response: Response,
        *,
        lane: int,
        attempt: int,
        records: int,
        size: int,
        dissecting: bool,
    ) -> None:
        """Log a decision. ``dissecting``: the search for the records at fault has begun before."""
        if isinstance(decision, Done) and not decision.refused:
            return  # the usual case, which `accepted` logs
        log = self._logger.bind(lane=lane, records=records, bytes=size, attempts=attempt, answer=answer_name(response))
        if isinstance(decision, Retry | Hold) and decision.unclear is not None:
            self._metrics.unclear(decision.unclear)
            log = log.bind(unclear=UNCLEAR_WORDS[decision.unclear])
        match decision:
            case Done(refused=refused):
                log.warning("request accepted in part", refused=len({record.index for record in refused}))
            case Retry(after_seconds=seconds):
                log.warning("request failed, retrying", after_seconds=round(seconds, 3))
            case Hold(after_seconds=seconds):
                log.debug("request refused, retrying slowly", after_seconds=round(seconds, 3))
            case Refuse(reason=reason):
                level = log.debug if dissecting else log.warning
                level("records refused, isolating those at fault", reason=reason.value)

    def accepted(self, flush: AcceptedFlush, response: Response, doubt: Doubt | None, *, lane: int) -> None:
        """Count a request that delivered records. ``doubt`` is about its answer."""
        self._metrics.accepted(flush, now=self._wall_clock())
        self._doubts.judged(doubt)
        if doubt is not None:
            self._metrics.doubted(doubt)
        self._logger.debug(
            "request batch accepted",
            lane=lane,
            records=flush.records,
            bytes=flush.body_bytes,
            attempts=flush.attempts,
            answer=answer_name(response),
            duration_seconds=round(flush.duration_seconds, 3),
        )
        self._summary.count(records=flush.records, requests=1, bytes=flush.body_bytes)

    def stored(self, letters: Sequence[DeadLetter], *, lane: int) -> None:
        """Count dead letters that are stored."""
        reasons = Counter(letter.reason for letter in letters)
        for reason, count in reasons.items():
            self._metrics.rejected(reason, count)
        self._summary.count(rejected=reasons.total())
        counts = {reason.value: count for reason, count in reasons.items()}
        self._logger.warning("records stored as dead letters", lane=lane, reasons=counts)

    def acknowledged(self, batches: Sequence[MessageBatch]) -> None:
        """Count acknowledged message batches."""
        self._summary.count(batches=len(batches))

    def held(self, number: int, lane: Lane) -> None:
        """Update the reasons why a lane holds."""
        advice = () if lane.hold is None else (lane.hold.advice,)
        self.holds.update(number, (*advice, *unknown_formats(lane.unreadable)))

    def limit_checked(self) -> None:
        """Log that the size limit of requests was lowered. Only the first time is a warning."""
        before, after = self._limit_bytes, self._limits.max_bytes
        if after == before:
            return
        first = before == self._setting_bytes
        self._limit_bytes = after
        level = self._logger.warning if first else self._logger.debug
        level(
            "request size limit lowered",
            reason="the destination, or a proxy before it, accepts less than the setting",
            setting=self._size_setting,
            before_bytes=before,
            limit_bytes=after,
        )
