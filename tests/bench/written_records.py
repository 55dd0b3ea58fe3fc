"""The records that a contestant wrote, each with its source event: which are missing, which were written twice.

Counting is not enough: a record that was written twice makes up for one that is missing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from confluent_kafka import Consumer, TopicPartition

from pipeline.kafka import headers
from tests.bench.runs import RunError
from tests.integration.clients import watermarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from confluent_kafka import Message

    from tests.bench.cluster import Cluster

_SILENT_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.1
_MESSAGES_A_POLL: Final = 5_000


class Copy(NamedTuple):
    """A record in its topic. `source` is its event: partition and offset in the raw topic."""

    partition: int
    offset: int
    source: tuple[int, int]


class Account(NamedTuple):
    """How many events have no record, and how many records are second or later copies."""

    missing: int
    repeated: int


def ends_of(cluster: Cluster, topic: str) -> dict[int, int]:
    """Return the next offset of each partition of a topic."""
    return {partition: end for partition, (_, end) in watermarks(cluster.bootstrap_servers, topic).items()}


def account_of(copies: Iterable[Copy], ends: Mapping[int, int]) -> Account:
    """Compare records with the events of a raw topic that was written from offset 0 to `ends`.

    Raises:
        RunError: a record's event was never written.
    """
    seen = {partition: bytearray(end) for partition, end in ends.items()}
    repeated = 0
    for copy in copies:
        partition, offset = copy.source
        if not 0 <= offset < ends.get(partition, 0):
            raise RunError(f"a record's source is offset {offset} of partition {partition}, which has no event")
        repeated += seen[partition][offset]
        seen[partition][offset] = 1
    return Account(missing=sum(flags.count(0) for flags in seen.values()), repeated=repeated)


def copies_in(cluster: Cluster, topic: str) -> Iterator[Copy]:
    """Return what a topic has now; the records of a partition are in their order.

    Raises:
        RunError: it cannot be read to its end, or a record does not name its event.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap_servers,
            "group.id": "reads-without-a-group",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        unread = {partition for partition, end in ends_of(cluster, topic).items() if end}
        consumer.assign([TopicPartition(topic, partition, 0) for partition in unread])
        deadline = time.monotonic() + _SILENT_SECONDS
        while unread:
            messages = consumer.consume(_MESSAGES_A_POLL, timeout=_POLL_SECONDS)
            if messages:
                deadline = time.monotonic() + _SILENT_SECONDS
            elif time.monotonic() > deadline:
                raise RunError(f"partitions {sorted(unread)} of {topic} could not be read to their end")
            for message in messages:
                error = message.error()
                if error is None:
                    yield _copy(message)
                elif error.name() == "_PARTITION_EOF":
                    unread.discard(cast("int", message.partition()))
                else:
                    raise RunError(f"{topic} cannot be read: {error}")
    finally:
        consumer.close()


def _copy(message: Message) -> Copy:
    found = dict(cast("list[tuple[str, bytes]]", message.headers() or []))
    partition, offset = cast("int", message.partition()), cast("int", message.offset())
    try:
        source = int(found[headers.SOURCE_PARTITION]), int(found[headers.SOURCE_OFFSET])
    except KeyError as error:
        raise RunError(f"the record at offset {offset} of partition {partition} does not name its event") from error
    return Copy(partition, offset, source)
