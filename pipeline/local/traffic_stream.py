"""Write generated traffic to the raw topic of a running Kafka at a constant rate, until it is stopped."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from pipeline.kafka.connection import connection_options
from pipeline.kafka.partitioner import partition_for
from pipeline.kafka.producer import BatchProducer, OutboundMessage
from pipeline.kafka.topics import check_topics
from pipeline.local.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from pipeline.kafka.topic_use import TopicUse
    from pipeline.local.traffic_truth import TrafficMessage
    from pipeline.settings.sections import Settings

TICK_SECONDS: Final = 0.1
"""The interval between writes; the messages of a tick are written together."""

UNPACED_MESSAGES: Final = 5_000
"""Messages of a tick without a rate limit."""

_LONGEST_CATCH_UP_SECONDS: Final = 1.0
_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
_SEED_BITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficOptions:
    """The options of the command. ``rate`` is events per second, 0 for no limit; ``events`` None is endless."""

    events: int | None
    rate: float
    seed: int | None


class Writer(Protocol):
    """Write messages to one partition. Returning means that the broker has confirmed all of them."""

    async def write(self, topic: str, partition: int, messages: Sequence[OutboundMessage]) -> None:
        """Write the messages in this order."""
        ...


@dataclass(slots=True, kw_only=True)
class Pace:
    """Compute how many messages are due. After an interruption, at most one second's messages are caught up on."""

    rate: float
    since: float
    _owed: float = field(init=False, default=0.0)

    def due(self, now: float) -> int:
        """Return how many messages are due at ``now`` (monotonic seconds), and count them as written."""
        if not self.rate:
            return UNPACED_MESSAGES
        self._owed += (now - self.since) * self.rate
        self.since = now
        self._owed = min(self._owed, max(1.0, self.rate * _LONGEST_CATCH_UP_SECONDS))
        due = int(self._owed)
        self._owed -= due
        return due


@dataclass(slots=True, kw_only=True)
class TrafficStream:
    """Write messages by key, to the partition of Kafka's default partitioner; ``written`` counts confirmed messages."""

    topic: str
    partitions: int
    writer: Writer
    pace: Pace
    clock: Callable[[], float] = time.monotonic
    written: int = field(init=False, default=0)
    _keyless: int = field(init=False, default=0)

    async def write(self, messages: Iterator[TrafficMessage]) -> None:
        """Write all messages at the pace, and return when all are confirmed."""
        while True:
            due = self.pace.due(self.clock())
            chunk = list(islice(messages, due))
            await self._write_together(chunk)
            if len(chunk) < due:
                return
            await asyncio.sleep(TICK_SECONDS if self.pace.rate else 0)

    async def _write_together(self, chunk: Sequence[TrafficMessage]) -> None:
        by_partition: defaultdict[int, list[OutboundMessage]] = defaultdict(list)
        for message in chunk:
            outbound = OutboundMessage(key=message.key, value=message.value, timestamp_ms=None, headers=[])
            by_partition[self._partition_of(message.key)].append(outbound)
        await asyncio.gather(
            *(self.writer.write(self.topic, partition, messages) for partition, messages in by_partition.items())
        )
        self.written += len(chunk)

    def _partition_of(self, key: bytes | None) -> int:
        if key is not None:
            return partition_for(key, self.partitions)
        self._keyless += 1
        return self._keyless % self.partitions


def run_traffic(settings: Settings, use: TopicUse, options: TrafficOptions, *, say: Callable[[str], None]) -> None:
    """Write traffic until all of it is written, or until SIGTERM or SIGINT; `use` is the processor's.

    Raises:
        KafkaUnreachableError: no broker can be reached.
        TopicsError: the processor's topics are missing or unsuitable.
    """
    asyncio.run(_run(settings, use, options, say))


async def _run(settings: Settings, use: TopicUse, options: TrafficOptions, say: Callable[[str], None]) -> None:
    connection = connection_options(settings)
    found = await check_topics(connection, settings, [use])
    seed = Random().getrandbits(_SEED_BITS) if options.seed is None else options.seed
    messages = traffic(seed=seed, events=options.events, now_ms=_now_ms)
    producer = BatchProducer(connection)
    stream = TrafficStream(
        topic=settings.raw_topic,
        partitions=found[settings.raw_topic].partitions,
        writer=producer,
        pace=Pace(rate=options.rate, since=time.monotonic()),
    )
    await producer.start()
    try:
        say(f"writing to {settings.raw_topic}, seed {seed}")
        await _until_stopped(stream.write(messages))
    finally:
        await producer.stop()
    say(f"{stream.written} events written")


async def _until_stopped(writing: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(writing)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def _now_ms() -> int:
    return time.time_ns() // _NANOSECONDS_PER_MILLISECOND
