"""Where a consumer group begins: distinguishes a first start from a group that has lost its offsets.

Kafka returns no offset in both cases. So a worker commits an offset for every partition of its topic before it joins
the group for the first time. From then on a missing offset is a fault: the position is unknown, and reading from the
start of the log could send days of events again.

Each commit has the id of its topic, so that an offset is never used for another topic of the same name.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import aiokafka
import structlog
from aiokafka.errors import CommitFailedError, KafkaError

from pipeline.kafka.errors import GroupOffsetsLostError, KafkaUnreachableError
from pipeline.kafka.topic_protocol import TopicsRequest, topic_id
from pipeline.settings.choices import GroupStart
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.kafka.connection import ConnectionOptions

logger = structlog.get_logger(__name__)

TIMEOUT_SECONDS: Final = 30.0
_NOTE: Final = "topic-id="


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSource:
    """The topic that a worker reads as it was at the start: its partitions, and those with a committed offset."""

    partitions: int
    begun: frozenset[int]
    identity: bytes | None = None

    @property
    def commit_note(self) -> str:
        """The metadata of a commit."""
        return "" if self.identity is None else _NOTE + self.identity.hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A topic that a group reads. `outcome` is the topic that only members of this group write to, if there is one."""

    topic: str
    partitions: int
    outcome: str | None = None
    outcome_partitions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """Committed offsets and log starts by partition, and whether `Source.outcome` was ever written to.

    `foreign` are the partitions whose offset was committed for another topic of the same name.
    """

    committed: Mapping[int, int]
    starts: Mapping[int, int]
    outcome_written: bool
    foreign: frozenset[int] = frozenset()


def find_objection(view: GroupView, source: Source, start: GroupStart) -> str | None:
    """Return why partitions without a committed offset must not be read from their start; None if they may be."""
    missing = sorted(view.starts.keys() - view.committed.keys())
    if not missing or start is GroupStart.EARLIEST:
        return None
    if view.foreign:
        return f"the topic of {_names(source.topic, sorted(view.foreign))} was deleted and recreated since then"
    if view.committed:
        newest = max(view.committed)
        lost = [number for number in missing if number < newest or view.starts[number] > 0]
        return f"it has none for {_names(source.topic, lost)}, although it has some for others" if lost else None
    return _objection_to_a_first_start(view, source, start)


def _objection_to_a_first_start(view: GroupView, source: Source, start: GroupStart) -> str | None:
    nothing = f"it has none for topic `{source.topic}`"
    if start is GroupStart.COMMITTED:
        return f"{nothing}, and {variable('group_start')} requires them"
    if view.outcome_written:
        return f"{nothing}, but `{source.outcome}` has already been written to"
    removed = sorted(number for number, offset in view.starts.items() if offset > 0)
    if source.outcome is None and removed:
        return f"it has none, and messages that it may not have read were removed from {_names(source.topic, removed)}"
    return None


async def begin_group(connection: ConnectionOptions, *, group: str, source: Source, start: GroupStart) -> KnownSource:
    """Commit the log's start for every partition that the group has not begun, unless that would hide a loss.

    Kafka accepts such a commit only while the group has no members. If it has members, they have begun it already.

    Raises:
        GroupOffsetsLostError: committed offsets are missing that should be there.
        KafkaUnreachableError: Kafka does not answer.
    """
    consumer = aiokafka.AIOKafkaConsumer(
        **connection, group_id=group, enable_auto_commit=False, auto_offset_reset="none"
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await consumer.start()
            identity = await _identity(consumer, source.topic)
            view = await _view(consumer, source, identity)
            if (objection := find_objection(view, source, start)) is not None:
                raise GroupOffsetsLostError(group, objection)
            known = KnownSource(partitions=source.partitions, begun=frozenset(view.committed), identity=identity)
            return await _begin(consumer, group, source, view, known)
    except (KafkaError, TimeoutError) as error:
        raise KafkaUnreachableError(
            f"Kafka does not return the offsets of group {group}: {str(error) or type(error).__name__}."
        ) from error
    finally:
        await consumer.stop()


async def _identity(consumer: aiokafka.AIOKafkaConsumer, topic: str) -> bytes | None:
    client = consumer._client  # noqa: SLF001 - aiokafka has no public request for topic ids
    answer = await client.send(client.get_random_node(), TopicsRequest([topic]))
    return topic_id(answer.to_object()["topics"][0])


async def _view(consumer: aiokafka.AIOKafkaConsumer, source: Source, identity: bytes | None) -> GroupView:
    partitions = [aiokafka.TopicPartition(source.topic, number) for number in range(source.partitions)]
    consumer.assign(partitions)
    consumer.pause(*partitions)
    found = await consumer._coordinator.fetch_committed_offsets(partitions)  # noqa: SLF001 - `committed` omits the metadata
    committed = {partition.partition: each for partition, each in found.items() if each.offset >= 0}
    foreign = frozenset(number for number, each in committed.items() if _is_of_another(each.metadata, identity))
    starts = await consumer.beginning_offsets(partitions)
    outcome_written = False
    if source.outcome is not None:
        outcomes = [aiokafka.TopicPartition(source.outcome, number) for number in range(source.outcome_partitions)]
        outcome_written = any((await consumer.end_offsets(outcomes)).values())
    return GroupView(
        committed={number: each.offset for number, each in committed.items() if number not in foreign},
        starts={partition.partition: offset for partition, offset in starts.items()},
        outcome_written=outcome_written,
        foreign=foreign,
    )


def _is_of_another(note: str, identity: bytes | None) -> bool:
    return identity is not None and note.startswith(_NOTE) and note != _NOTE + identity.hex()


async def _begin(
    consumer: aiokafka.AIOKafkaConsumer, group: str, source: Source, view: GroupView, known: KnownSource
) -> KnownSource:
    """Commit the starts of the partitions that were not begun, and return the source with them."""
    starts = {number: offset for number, offset in view.starts.items() if number not in known.begun}
    if not starts:
        return known
    note = known.commit_note
    try:
        await consumer.commit(
            {aiokafka.TopicPartition(source.topic, number): (offset, note) for number, offset in starts.items()}
        )
    except CommitFailedError:
        return known
    logger.warning(
        "group has no committed offsets, starting at the beginning of the log",
        group=group,
        topic=source.topic,
        offsets={str(number): offset for number, offset in sorted(starts.items())},
    )
    return replace(known, begun=known.begun | starts.keys())


def _names(topic: str, numbers: list[int]) -> str:
    return ", ".join(f"{topic}[{number}]" for number in numbers)
