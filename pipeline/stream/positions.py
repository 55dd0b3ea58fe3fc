"""Where partitions are read from: the committed offsets, and the positions of aiokafka's consumer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError

from pipeline.stream.errors import OffsetsLostError
from pipeline.stream.ledger import Position, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

logger = structlog.get_logger(__name__)

REPOSITION_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Where every assigned partition is read from, since `epoch`."""

    epoch: int
    by_partition: Mapping[TopicPartition, Position]


async def committed_positions(consumer: Any, group: str) -> Mapping[TopicPartition, Position]:
    """Return the committed offset of every assigned partition, or the start of its log if there is none.

    Retries while brokers are away.

    Raises:
        OffsetsLostError: a committed offset is outside the log.
        IllegalStateError: the assignment changed in the meantime.
    """
    while True:
        assigned = list(consumer.assignment())
        try:
            # In this order: a process can be frozen between two requests, while others write, read and commit.
            starts = await consumer.beginning_offsets(assigned)
            found = await consumer._coordinator.fetch_committed_offsets(assigned)  # noqa: SLF001 - `committed` takes one
            ends = await consumer.end_offsets(assigned)
        except KafkaError as error:  # including `IllegalStateError`, which is not retriable
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                raise
            logger.warning("positions unknown, retrying", error=type(error).__name__)
            await asyncio.sleep(REPOSITION_RETRY_SECONDS)
            continue
        break
    committed = {partition: each.offset for partition, each in found.items() if each.offset >= 0}
    lost = {
        TopicPartition(*partition): (offset, starts[partition], ends[partition])
        for partition, offset in committed.items()
        if not starts[partition] <= offset <= ends[partition]
    }
    if lost:
        raise OffsetsLostError(group, lost)
    return {
        TopicPartition(*partition): Position(committed.get(partition, starts[partition]), partition in committed)
        for partition in assigned
    }


async def lost_offsets(
    consumer: Any, offsets: Mapping[TopicPartition, int]
) -> Mapping[TopicPartition, tuple[int, int, int]]:
    """Return each offset with the start and the end of its log."""
    starts = await consumer.beginning_offsets(list(offsets))
    ends = await consumer.end_offsets(list(offsets))
    return {
        TopicPartition(*partition): (offset, starts[partition], ends[partition])
        for partition, offset in offsets.items()
    }


def read_positions(consumer: Any, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Return where partitions are read next; those without a position are left out."""
    assignment = consumer._subscription.subscription.assignment  # noqa: SLF001 - `position` would wait for one
    if assignment is None:
        return {}
    states = {partition: assignment.state_value(partition) for partition in partitions}
    return {
        partition: state.position
        for partition, state in states.items()
        if state is not None and state.has_valid_position
    }
