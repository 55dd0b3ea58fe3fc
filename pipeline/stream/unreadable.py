"""Partitions that hold because their next batch cannot be read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiokafka
import structlog
from aiokafka.errors import IllegalStateError

from pipeline.kafka.fetched.faults import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pipeline.kafka.fetched.faults import Unreadable
    from pipeline.stream.ledger import TopicPartition

logger = structlog.get_logger(__name__)

FIRST_RETRY_SECONDS: Final = 5.0
LAST_RETRY_SECONDS: Final = 60.0
MOST_NAMED: Final = 5
"""At most this many partitions are named in one answer of `/readyz`."""
_WHERE_IT_ENDS: Final = (
    "; how far the damage extends is not known: if this is not enough, try larger offsets step by step"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hold:
    found: Unreadable
    retry_at: float
    retry_seconds: float


class UnreadablePartitions:
    """Knows which partitions cannot be read, and when to try again. A hold ends when its log is repaired."""

    def __init__(self, group: str, *, now: Callable[[], float]) -> None:
        """Start without holds. `group` is the group whose offsets an operator would set; `now` is a monotonic clock."""
        self._group = group
        self._now = now
        self._holds: dict[TopicPartition, _Hold] = {}
        self._tried: set[TopicPartition] = set()

    @property
    def partitions(self) -> Collection[TopicPartition]:
        """The partitions that hold."""
        return self._holds.keys()

    @property
    def on_purpose(self) -> Collection[TopicPartition]:
        """The partitions that hold and are retried in time. One whose retry brings no answer may be stuck."""
        since = self._now() - LAST_RETRY_SECONDS
        return [partition for partition, hold in self._holds.items() if hold.retry_at > since]

    def pause(self, consumer: Any, partition: TopicPartition, found: Unreadable) -> None:
        """Hold a partition and stop fetching it. Does nothing if it was revoked in the meantime."""
        with suppress(IllegalStateError):
            consumer.pause(aiokafka.TopicPartition(*partition))
            self.note(partition, found)

    def try_again(self, consumer: Any) -> None:
        """Fetch the partitions that are due for a retry."""
        for partition in self.due():
            with suppress(IllegalStateError):
                consumer.resume(aiokafka.TopicPartition(*partition))

    def note(self, partition: TopicPartition, found: Unreadable) -> None:
        """Hold a partition, or keep holding it after a failed retry."""
        known = self._holds.get(partition)
        if known is None or known.found != found:
            logger.error(
                "partition unreadable, holding",
                topic=partition.topic,
                partition=partition.partition,
                offset=found.offset,
                reason=self._sentence(partition, found),
            )
            seconds = FIRST_RETRY_SECONDS
        else:
            seconds = min(2 * known.retry_seconds, LAST_RETRY_SECONDS)
        self._tried.discard(partition)
        self._holds[partition] = _Hold(found=found, retry_at=self._now() + seconds, retry_seconds=seconds)

    def due(self) -> Collection[TopicPartition]:
        """Return the partitions that are due for a retry, each once."""
        now = self._now()
        due = {
            partition
            for partition, hold in self._holds.items()
            if hold.retry_at <= now and partition not in self._tried
        }
        self._tried |= due
        return due

    def read_to(self, positions: Mapping[TopicPartition, int]) -> None:
        """Called with where partitions are read next: past the unreadable batch, the hold is over."""
        over = [
            partition for partition, hold in self._holds.items() if positions.get(partition, -1) > hold.found.offset
        ]
        for partition in over:
            del self._holds[partition]
            self._tried.discard(partition)
            logger.info("partition readable again", topic=partition.topic, partition=partition.partition)

    def forget(self, consumer: Any) -> None:
        """Called when partitions were repositioned: all are fetched, and unreadable batches are found again.

        A fetch that aiokafka started by itself, before they were repositioned, may have paused one of them.
        """
        for partition in self._holds:
            with suppress(IllegalStateError):
                consumer.resume(aiokafka.TopicPartition(*partition))
        self._holds.clear()
        self._tried.clear()

    @property
    def complaint(self) -> str | None:
        """Which partitions hold, why, and what to do; None if none does."""
        held = sorted(self._holds.items())
        named = [self._sentence(partition, hold.found) for partition, hold in held[:MOST_NAMED]]
        more = [f"so are {len(held) - MOST_NAMED} other partitions"] if len(held) > MOST_NAMED else []
        return "; ".join([*named, *more]) or None

    def _sentence(self, partition: TopicPartition, found: Unreadable) -> str:
        to = found.offset + 1 if found.next_offset is None else found.next_offset
        unsure = "" if found.next_offset is not None else _WHERE_IT_ENDS
        return (
            f"{describe(partition, found)}; {found.remedy}, or skip it, which loses its messages: stop the "
            f"group's workers, then `kafka-consumer-groups --reset-offsets --to-offset {to} --group "
            f"{self._group} --topic {partition.topic}:{partition.partition} --execute`, and start them{unsure}"
        )
