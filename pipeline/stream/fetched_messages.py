"""The messages that a fetch brings, as light as they can be.

aiokafka makes a `ConsumerRecord` of each message: eleven fields, an attribute dictionary and work for the garbage
collector, which was a third of the consumer's CPU. Its fetcher has no setting for that, so the place where it
keeps what it has fetched ahead is ours.

Headers are let go, all but the one that a worker reads: the format version. The four of a record would be 700 bytes of
Python objects for each message in hand, and those of a foreign producer may have any size.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from aiokafka.consumer.fetcher import FetchResult

from pipeline.kafka.fetched.faults import MESSAGE_BOUND, TooLargeError
from pipeline.kafka.fetched.reading import Answers
from pipeline.kafka.fetched.room import NoRoomError, UnpackedRoom
from pipeline.kafka.fetched.unpacking import BOUND
from pipeline.kafka.headers import AVRO_RECORD_FORMAT, FORMAT_VERSION, RECORD_FORMAT
from pipeline.stream.ledger import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pipeline.kafka.fetched.faults import Unreadable
    from pipeline.kafka.fetched.reading import PartitionAnswer
    from pipeline.stream.transport import TransportOptions

NO_TIMESTAMP: Final = -1
"""What Kafka says of a message without one; aiokafka makes None of it where the message is of the oldest format."""
MAX_VERSION_BYTES: Final = 32
"""So much is kept of a format version that is not known, to tell which it is."""

_JSON_RECORD: Final = ((FORMAT_VERSION, RECORD_FORMAT),)
_AVRO_RECORD: Final = ((FORMAT_VERSION, AVRO_RECORD_FORMAT),)


class FetchedMessage(msgspec.Struct, frozen=True, gc=False):
    """A message as it was fetched (`pipeline.core.messages.Message`); of its headers, only the format version."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Taken(NamedTuple):
    """What was taken, by partition, and whether that makes room for more to be fetched."""

    messages: Mapping[TopicPartition, Sequence[FetchedMessage]]
    emptied: bool


class FetchedAhead(Answers):
    """What a worker's fetcher keeps until it is asked for, by partition: the answer to a fetch, or its error.

    What is taken at once is bounded in bytes, for a fetch is small and what it unpacks to may be large.
    """

    def __init__(
        self,
        *,
        on_unreadable: Callable[[TopicPartition, Unreadable], None],
        most_bytes: int,
        most_message_bytes: int,
    ) -> None:
        """Keep nothing yet.

        Args:
            on_unreadable: called with a partition and what cannot be read of it.
            most_bytes: of keys and values that are taken of a partition at once; the last message may go beyond.
            most_message_bytes: a message with a larger key and value is not taken.
        """
        super().__init__()
        self._room = UnpackedRoom(BOUND.most_bytes, now=time.monotonic)
        self._on_unreadable = on_unreadable
        self._most_bytes = most_bytes
        self._most_message_bytes = most_message_bytes

    def __setitem__(self, place: TopicPartition, answer: Any) -> None:
        """Keep an answer. Its bytes become messages when they are asked for, and then they become ours."""
        super().__setitem__(place, answer)
        if isinstance(answer, FetchResult):
            answer._partition_records._consumer_record = light_message  # noqa: SLF001 - aiokafka asks nobody for it

    def room(self) -> UnpackedRoom:
        """Return the memory that all partitions share."""
        return self._room

    def unreadable(self, place: Any, found: Unreadable) -> None:
        """Pass on what cannot be read."""
        self._on_unreadable(TopicPartition(*place), found)

    def has_ready(self, partitions: Collection[TopicPartition]) -> bool:
        """Return whether something of these partitions can be taken now."""
        return any(place in partitions and _may_go_on(answer) for place, answer in self.items())

    def take(self, partitions: Collection[TopicPartition], most: int) -> Taken:
        """Remove and return up to `most` messages of each of these partitions.

        aiokafka's own limit counts all partitions together, which cuts what was fetched into small batches.

        Raises:
            KafkaError: a fetch has failed, and there is nothing else to be taken first.
        """
        messages: dict[TopicPartition, Sequence[FetchedMessage]] = {}
        before = len(self)
        for place in [place for place in self if place in partitions]:
            answer = self[place]
            if isinstance(answer, FetchResult):
                if found := self._take(place, answer, most):
                    messages[TopicPartition(*place)] = found
            elif not messages:
                del self[place]
                answer.check_raise()
        return Taken(messages, emptied=len(self) < before)

    def _take(self, place: TopicPartition, answer: Any, most: int) -> list[FetchedMessage]:
        records: PartitionAnswer = answer._partition_records  # noqa: SLF001
        found: list[FetchedMessage] = []
        if not answer.check_assignment(place):
            records.close()
            del self[place]
            return found
        ended = self._read(records, found, most)
        answer._update_position()  # noqa: SLF001
        if ended:
            del self[place]
        return found

    def _read(self, records: PartitionAnswer, found: list[FetchedMessage], most: int) -> bool:
        """Add messages to those that were found; return whether there are no more."""
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
    """Return what keeps the answers of a worker's fetcher, within the bounds of its options."""
    fetch_bytes: int = options.consumer["max_partition_fetch_bytes"]
    return FetchedAhead(
        on_unreadable=on_unreadable,
        most_bytes=fetch_bytes,
        most_message_bytes=max(fetch_bytes, options.max_bytes_in_hand),
    )


def _may_go_on(answer: Any) -> bool:
    return not isinstance(answer, FetchResult) or answer._partition_records.may_go_on  # noqa: SLF001


def light_message(place: TopicPartition, record: Any) -> FetchedMessage:
    """Return a message without what is not read of it; `record` is aiokafka's."""
    headers = record.headers
    return FetchedMessage(
        place[0],
        place[1],
        record.offset,
        NO_TIMESTAMP if record.timestamp is None else record.timestamp,
        record.key,
        record.value,
        _kept(headers) if headers else (),
    )


def _kept(headers: Sequence[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
    """Return the format version alone. Those that are known are shared, and a record's first header is its version.

    A header without a value is no header: Kafka allows it, and it names no version.
    """
    first = headers[0]
    if first == _JSON_RECORD[0]:
        return _JSON_RECORD
    if first == _AVRO_RECORD[0]:
        return _AVRO_RECORD
    for name, value in headers:
        if name == FORMAT_VERSION and value is not None:
            return ((FORMAT_VERSION, value[:MAX_VERSION_BYTES]),)
    return ()
