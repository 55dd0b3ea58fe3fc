"""Write made-up traffic into the raw topic of a Kafka that is there, at a steady rate, until it is told to stop."""

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
"""How often messages are written; those of a tick go out together."""

UNPACED_MESSAGES: Final = 5_000
"""Messages of a tick where no rate is kept."""

_LONGEST_CATCH_UP_SECONDS: Final = 1.0
_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
_SEED_BITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficOptions:
    """What the caller chose. ``rate`` is events a second, 0 for no limit; ``events`` None has no end."""

    events: int | None
    rate: float
    seed: int | None


class Writer(Protocol):
    """Writes messages to one partition; returning means that the broker has confirmed all of them."""

    async def write(self, topic: str, partition: int, entries: Sequence[OutboundMessage]) -> None:
        """Write them, in this order."""
        ...


@dataclass(slots=True, kw_only=True)
class Pace:
    """Tells how many messages are due; what could not be written for a second or more is not made up for."""

    rate: float
    since: float
    _owed: float = field(init=False, default=0.0)

    def due(self, now: float) -> int:
        """Tell how many are due at ``now`` (seconds, never running backwards), and take them for written."""
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
    """Writes messages by key, as Kafka's default partitioner would place them; ``written`` are confirmed."""

    topic: str
    partitions: int
    writer: Writer
    pace: Pace
    clock: Callable[[], float] = time.monotonic
    written: int = field(init=False, default=0)
    _keyless: int = field(init=False, default=0)

    async def write(self, messages: Iterator[TrafficMessage]) -> None:
        """Write all messages at the pace, and return when every one is confirmed."""
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
            entry = OutboundMessage(key=message.key, value=message.value, timestamp_ms=None, headers=[])
            by_partition[self._place(message.key)].append(entry)
        await asyncio.gather(
            *(self.writer.write(self.topic, partition, entries) for partition, entries in by_partition.items())
        )
        self.written += len(chunk)

    def _place(self, key: bytes | None) -> int:
        if key is not None:
            return partition_for(key, self.partitions)
        self._keyless += 1
        return self._keyless % self.partitions


def run_traffic(settings: Settings, use: TopicUse, options: TrafficOptions, *, say: Callable[[str], None]) -> None:
    """Write traffic until all of it is written, or SIGTERM or SIGINT ends it; `use` is the processor's.

    Raises:
        KafkaUnreachableError: no broker can be spoken to.
        TopicsError: the processor's topics cannot be used as they are.
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
        await _until_told_to_stop(stream.write(messages))
    finally:
        await producer.stop()
    say(f"{stream.written} events written")


async def _until_told_to_stop(work: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def _now_ms() -> int:
    return time.time_ns() // _NANOSECONDS_PER_MILLISECOND
