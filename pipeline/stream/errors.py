"""Errors of reading from Kafka that end a worker.

WorkerError
├── OffsetsLostError      a committed offset is no longer in the log
├── OffsetsVanishedError  a partition has no committed offset any more
├── GroupRefusedError     the consumer group cannot be joined, or its leader is not one of the pipeline's workers
└── WrongEnvironmentError the installed Faust cannot be trusted with acknowledgements
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.runtime.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.stream.ledger import TopicPartition


class WrongEnvironmentError(WorkerError):
    """The installed packages break a promise of the pipeline."""


class GroupRefusedError(WorkerError):
    """The consumer group cannot be joined because of its other members."""

    def __init__(self, group: str, members: Collection[str], error: str) -> None:
        named = ", ".join(members) or "none that Kafka names"
        super().__init__(
            f"the consumer group {group} cannot be used ({error}). Its members that are not the pipeline's own: "
            f"{named}. Stop them, or name another group; every deployment needs its own group."
        )


class OffsetsLostError(WorkerError):
    """Committed offsets are outside the log: messages were removed, or the topic was recreated.

    Never reset silently: an operator decides.
    """

    def __init__(self, group: str, lost: Mapping[TopicPartition, tuple[int, int, int]]) -> None:
        """`lost` has the committed offset, the log's start and the log's end of each partition."""
        self.lost = dict(lost)
        parts = [
            f"{partition.topic}[{partition.partition}]: committed {committed}, the log holds {start} to {end}, "
            + (f"{start - committed} messages lost" if committed < start else "the topic was truncated or recreated")
            for partition, (committed, start, end) in sorted(self.lost.items())
        ]
        super().__init__(
            f"the committed offset of group {group} is no longer in the log; {'; '.join(parts)}. "
            "Find out why (retention shorter than the outage? topic deleted?), then accept the gap of only these "
            "partitions: stop the group's workers, then `kafka-consumer-groups --reset-offsets --to-earliest "
            f"--group {group} {_partitions(self.lost)} --execute`, and start them."
        )


class OffsetsVanishedError(WorkerError):
    """Partitions that had committed offsets have none: they were deleted, or Kafka has lost them.

    Never reset silently: an operator decides.
    """

    def __init__(self, group: str, partitions: Collection[TopicPartition]) -> None:
        named = ", ".join(f"{partition.topic}[{partition.partition}]" for partition in sorted(partitions))
        super().__init__(
            f"the committed offset of group {group} is gone for {named}. Find out why (offsets deleted? the group's "
            "log damaged?), then stop the group's workers, set it with `kafka-consumer-groups --reset-offsets --group "
            f"{group} {_partitions(partitions)} … --execute`, and start them."
        )


def _partitions(partitions: Collection[TopicPartition]) -> str:
    """Return partitions as arguments of Kafka's command. Without numbers it would also reset healthy partitions."""
    numbers: dict[str, list[str]] = {}
    for partition in sorted(partitions):
        numbers.setdefault(partition.topic, []).append(str(partition.partition))
    return " ".join(f"--topic {topic}:{','.join(found)}" for topic, found in numbers.items())
