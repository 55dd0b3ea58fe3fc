"""Marks of tracked users as a processor stores them, many at a time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from pipeline.core.billing_month import BillingMonth
from pipeline.kafka.producer import BatchProducer, OutboundMessage
from pipeline.state.following import Follower
from pipeline.state.restoring import TrackedUsersTopics
from pipeline.state.store import StateStore
from pipeline.state.stored_marks import NO_EPOCH, MarkCodec
from pipeline.state.tracked_users import UserHasher

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.kafka.connection import ConnectionOptions

SECRET: Final = "the secret of the benchmark"
NOW: Final = time.time_ns() // 1_000_000
HASHER: Final = UserHasher(SECRET)
MONTH: Final = BillingMonth()
_CHUNK: Final = 50_000
_NO_HEADERS: Final[list[tuple[str, bytes]]] = []


def codec_of(topic: str) -> MarkCodec:
    """Return the codec of a topic of the benchmark."""
    return MarkCodec(fingerprint=HASHER.fingerprint, epoch=NO_EPOCH, topic=topic)


def state_store_of(connection: ConnectionOptions, topic: str) -> StateStore:
    """Return a state store of tracked users only, as of now, that read a topic of the benchmark."""
    return StateStore(
        connection=connection,
        producer=BatchProducer(connection),
        follower=Follower(connection),
        hasher=HASHER,
        month=MONTH,
        now_ms=lambda: NOW,
        tracked=TrackedUsersTopics(topic=topic, codec=codec_of(topic)),
        catalogue=None,
    )


async def write_marks(connection: ConnectionOptions, topic: str, shares: Sequence[Iterable[tuple[bytes, int]]]) -> None:
    """Write a mark of this month for each user key and raw offset; one share for each partition, in order."""
    producer = BatchProducer(connection, compression="lz4")
    await producer.start()
    try:
        codec = codec_of(topic)
        await asyncio.gather(*(_write(producer, codec, number, share) for number, share in enumerate(shares)))
    finally:
        await producer.stop()


async def _write(producer: BatchProducer, codec: MarkCodec, partition: int, marks: Iterable[tuple[bytes, int]]) -> None:
    month = MONTH.first_day(NOW)
    messages: list[OutboundMessage] = []
    for user_key, offset in marks:
        key = codec.mark_key(HASHER.hash_of(user_key), month)
        messages.append(OutboundMessage(key, codec.mark_value(offset), None, _NO_HEADERS))
        if len(messages) == _CHUNK:
            await producer.write(codec.topic, partition, messages)
            messages = []
    if messages:
        await producer.write(codec.topic, partition, messages)
