"""The messages that a fetch brings, as light as they can be.

aiokafka makes a `ConsumerRecord` of each message: eleven fields, an attribute dictionary and work for the garbage
collector, which was a third of the consumer's CPU. Its fetcher has no setting for that, so the place where it
keeps what it has fetched ahead is ours.

Headers are let go, all but the one that a worker reads: the format version. The four of a record would be 700 bytes of
Python objects for each message in hand, and those of a foreign producer may have any size.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka.consumer.fetcher import FetchResult

from pipeline.kafka.headers import AVRO_RECORD_FORMAT, FORMAT_VERSION, RECORD_FORMAT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.stream.ledger import TopicPartition

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


class FetchedAhead(OrderedDict["TopicPartition", Any]):
    """What a fetcher keeps until it is asked for, by partition: the answer to a fetch, or its error."""

    def __setitem__(self, place: TopicPartition, answer: Any) -> None:
        """Keep an answer. Its bytes become messages when they are asked for, and then they become ours."""
        if isinstance(answer, FetchResult):
            answer._partition_records._consumer_record = _message  # noqa: SLF001 - aiokafka asks nobody for it
        super().__setitem__(place, answer)

    def top_up(
        self, taken: dict[TopicPartition, list[FetchedMessage]], partitions: Collection[TopicPartition], most: int
    ) -> bool:
        """Take what else is there, up to `most` messages of each partition; tell whether more may be fetched now.

        aiokafka's own limit counts all partitions together, which cuts what was fetched into small batches.
        """
        emptied = False
        for place in partitions:
            answer = self.get(place)
            room = most - len(taken.get(place, ()))
            if isinstance(answer, FetchResult) and room > 0:
                messages = answer.getall(room)
                if messages:
                    taken.setdefault(place, []).extend(messages)
                if not answer.has_more():
                    del self[place]
                    emptied = True
        return emptied


def _message(place: TopicPartition, record: Any) -> FetchedMessage:
    headers = record.headers
    return FetchedMessage(
        place[0],
        place[1],
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        _kept(headers) if headers else (),
    )


def _kept(headers: Sequence[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
    """Return the format version alone. Those that are known are shared, and a record's first header is its version."""
    first = headers[0]
    if first == _JSON_RECORD[0]:
        return _JSON_RECORD
    if first == _AVRO_RECORD[0]:
        return _AVRO_RECORD
    for name, value in headers:
        if name == FORMAT_VERSION:
            return ((FORMAT_VERSION, (value or b"")[:MAX_VERSION_BYTES]),)
    return ()
