"""What a worker has fetched ahead.

aiokafka's fetcher keeps its answers in a dictionary and builds messages from them. It has no setting for either, so we
replace the dictionary: ours builds light messages (`pipeline.kafka.fetched.messages`) and bounds how much is taken.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.consumer.fetcher import FetchResult

from pipeline.kafka.fetched.faults import MESSAGE_BOUND, TooLargeError
from pipeline.kafka.fetched.messages import FetchedMessage, light_message
from pipeline.kafka.fetched.reading import Answers
from pipeline.kafka.fetched.room import NoRoomError, UnpackedRoom
from pipeline.kafka.fetched.unpacking import BOUND
from pipeline.stream.ledger import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pipeline.kafka.fetched.faults import Unreadable
    from pipeline.kafka.fetched.reading import PartitionAnswer
    from pipeline.stream.transport_options import TransportOptions


class Taken(NamedTuple):
    """The messages taken, by partition, and whether that makes room for more to be fetched."""

    messages: Mapping[TopicPartition, Sequence[FetchedMessage]]
    emptied: bool


class FetchedAhead(Answers):
    """The answers that a worker's fetcher keeps, by partition: the result of a fetch, or its error.

    One call takes a bounded number of bytes: a fetch is small, but it may decompress to much more.
    """

    def __init__(
        self,
        *,
        on_unreadable: Callable[[TopicPartition, Unreadable], None],
        most_bytes: int,
        most_message_bytes: int,
    ) -> None:
        """Start empty.

        Args:
            on_unreadable: Called with a partition and what cannot be read in it.
            most_bytes: Bytes of keys and values taken of a partition at once; the last message may exceed it.
            most_message_bytes: A message with a larger key and value is not taken.
        """
        super().__init__()
        self._room = UnpackedRoom(BOUND.most_bytes, now=time.monotonic)
        self._on_unreadable = on_unreadable
        self._most_bytes = most_bytes
        self._most_message_bytes = most_message_bytes

    def __setitem__(self, partition: TopicPartition, answer: Any) -> None:
        """Keep an answer. Its bytes are decoded, to our own messages, when they are taken."""
        super().__setitem__(partition, answer)
        if isinstance(answer, FetchResult):
            answer._partition_records._consumer_record = light_message  # noqa: SLF001 - aiokafka has no setting for it

    def room(self) -> UnpackedRoom:
        """Return the memory that all partitions share."""
        return self._room

    def unreadable(self, partition: Any, found: Unreadable) -> None:
        """Report what cannot be read."""
        self._on_unreadable(TopicPartition(*partition), found)

    def has_ready(self, partitions: Collection[TopicPartition]) -> bool:
        """Return whether a message of these partitions can be taken now."""
        return any(partition in partitions and _may_go_on(answer) for partition, answer in self.items())

    def take(self, partitions: Collection[TopicPartition], most: int) -> Taken:
        """Remove and return up to `most` messages of each of these partitions.

        aiokafka's own limit counts all partitions together, which would cut a fetch into small batches.

        Raises:
            KafkaError: a fetch has failed, and nothing else is left to take first.
        """
        messages: dict[TopicPartition, Sequence[FetchedMessage]] = {}
        before = len(self)
        for partition in [partition for partition in self if partition in partitions]:
            answer = self[partition]
            if isinstance(answer, FetchResult):
                if found := self._take(partition, answer, most):
                    messages[TopicPartition(*partition)] = found
            elif not messages:
                del self[partition]
                answer.check_raise()
        return Taken(messages, emptied=len(self) < before)

    def _take(self, partition: TopicPartition, answer: Any, most: int) -> list[FetchedMessage]:
        records: PartitionAnswer = answer._partition_records  # noqa: SLF001
        found: list[FetchedMessage] = []
        if not answer.check_assignment(partition):
            records.close()
            del self[partition]
            return found
        ended = self._read(records, found, most)
        answer._update_position()  # noqa: SLF001
        if ended:
            del self[partition]
        return found

    def _read(self, records: PartitionAnswer, found: list[FetchedMessage], most: int) -> bool:
        """Append messages to `found`; return whether none is left."""
        size, most_of_one = 0, self._most_message_bytes
        try:
            for message in records:
                bytes_of_one = len(message.key or b"") + len(message.value or b"")
                if bytes_of_one > most_of_one:
                    what = f"the message has {bytes_of_one:,} bytes"
                    records.refuse(message.offset, TooLargeError(what, most_of_one, MESSAGE_BOUND))
                    continue
                found.append(message)
                size += bytes_of_one
                if len(found) >= most or size >= self._most_bytes:
                    records.touch()
                    return False
        except NoRoomError:
            return False
        return True


def fetched_ahead(
    options: TransportOptions, on_unreadable: Callable[[TopicPartition, Unreadable], None]
) -> FetchedAhead:
    """Return the dictionary for a worker's fetcher, with the limits from its options."""
    fetch_bytes: int = options.consumer["max_partition_fetch_bytes"]
    return FetchedAhead(
        on_unreadable=on_unreadable,
        most_bytes=fetch_bytes,
        most_message_bytes=max(fetch_bytes, options.max_bytes_in_hand),
    )


def _may_go_on(answer: Any) -> bool:
    return not isinstance(answer, FetchResult) or answer._partition_records.may_go_on  # noqa: SLF001
