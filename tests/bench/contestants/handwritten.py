"""The processor's task written by hand on aiokafka, as fast as possible: `getmany`, `create_batch` and `send_batch`.

It does the same and promises the same as the pipeline's processor: `process`, record headers, dead letters, an
idempotent producer with ``acks=all``, committed reads, and offsets committed when everything before them is confirmed.
It lacks retries, revocation with messages in hand, bounded memory, metrics, logs, health.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from pipeline.core.outcomes import Deliver, Drop, Reject
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.kafka import headers
from pipeline.kafka.connection import connection_options
from pipeline.settings.choices import Requirement
from pipeline.settings.loading import load_settings
from tests.bench.meter import Meter, meter_parser
from tests.builders import SEGMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.core.messages import Message
    from pipeline.core.outcomes import RejectReason
    from pipeline.settings.sections import Settings

    _Headers = list[tuple[str, bytes]]

BATCH_BYTES = 512 * 1024
_WAITING = {"fetch_min_bytes": 1024 * 1024, "fetch_max_wait_ms": 100}


class Job:
    def __init__(self, settings: Settings, policy: Policy, producer: Any, letter_partitions: int) -> None:
        self._settings = settings
        self._policy = policy
        self._rules = (headers.RULES_VERSION, policy.version.encode())
        self._producer = producer
        self._letter_partitions = letter_partitions

    async def write(self, partition: int, messages: Sequence[Message]) -> list[asyncio.Future[Any]]:
        """Decide a run of messages and send the results; return the futures that confirm them."""
        confirmations: list[asyncio.Future[Any]] = []
        batch = self._producer.create_batch()
        source = (headers.SOURCE_PARTITION, b"%d" % partition)
        version = (headers.FORMAT_VERSION, headers.RECORD_FORMAT)
        topic, policy, rules = self._settings.segment.records_topic, self._policy, self._rules
        letters: list[tuple[Message, RejectReason]] = []
        for message in messages:
            match process(message, policy, STATELESS):
                case Deliver(user_key=key, record=record):
                    record_headers = [source, (headers.SOURCE_OFFSET, b"%d" % message.offset), version, rules]
                    if batch.append(key=key, value=record, timestamp=None, headers=record_headers) is None:
                        confirmations.append(await self._producer.send_batch(batch, topic, partition=partition))
                        batch = self._producer.create_batch()
                        batch.append(key=key, value=record, timestamp=None, headers=record_headers)
                case Reject(reason=reason):
                    letters.append((message, reason))
                case Drop():
                    pass
        if batch.record_count():
            confirmations.append(await self._producer.send_batch(batch, topic, partition=partition))
        if letters:
            confirmations += await self._write_letters(partition % self._letter_partitions, letters)
        return confirmations

    async def _write_letters(
        self, partition: int, letters: Sequence[tuple[Message, RejectReason]]
    ) -> list[asyncio.Future[Any]]:
        confirmations: list[asyncio.Future[Any]] = []
        topic = self._settings.dead_letter_topic
        batch = self._producer.create_batch()
        for message, reason in letters:
            why = self._letter_headers(message, reason)
            if batch.append(key=message.key, value=message.value, timestamp=None, headers=why) is None:
                confirmations.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
                batch.append(key=message.key, value=message.value, timestamp=None, headers=why)
        confirmations.append(await self._producer.send_batch(batch, topic, partition=partition))
        return confirmations

    def _letter_headers(self, message: Message, reason: RejectReason) -> _Headers:
        return [
            (headers.REASON, reason.value.encode()),
            (headers.STAGE, b"processor"),
            (headers.SOURCE_TOPIC, message.topic.encode()),
            (headers.SOURCE_PARTITION, b"%d" % message.partition),
            (headers.SOURCE_OFFSET, b"%d" % message.offset),
            (headers.REJECTED_AT, b"%d" % (time.time_ns() // 1_000_000)),
            self._rules,
            (headers.FORMAT_VERSION, headers.DEAD_LETTER_FORMAT),
        ]


async def step(settings: Settings, meter: Meter, *, waiting: bool) -> None:
    connection = connection_options(settings)
    consumer = AIOKafkaConsumer(
        settings.raw_topic,
        **connection,
        group_id=settings.segment.processor_group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=settings.fetch_max_bytes,
        **(_WAITING if waiting else {}),
    )
    producer = AIOKafkaProducer(**connection, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES)
    await producer.start()
    await consumer.start()
    try:
        letter_partitions = len(await producer.partitions_for(settings.dead_letter_topic))
        job = Job(settings, Policy(records=SEGMENT), producer, letter_partitions)
        while not meter.done:
            fetched = await consumer.getmany(timeout_ms=1000)
            count = sum(map(len, fetched.values()))
            if not count:
                continue
            meter.received(count)
            confirmations: list[asyncio.Future[Any]] = []
            for partition, messages in fetched.items():
                confirmations += await job.write(partition.partition, messages)
            await asyncio.gather(*confirmations)
            await consumer.commit({partition: messages[-1].offset + 1 for partition, messages in fetched.items()})
            meter.settled(count)
    finally:
        await consumer.stop()
        await producer.stop()


def main() -> int:
    parser = meter_parser()
    parser.add_argument(
        "--waiting", action="store_true", help="let the broker wait for more data, as the pipeline does"
    )
    options = parser.parse_args()
    settings = load_settings(os.environ, requirements=[Requirement.KAFKA])
    meter = Meter(messages=options.messages, report=options.report, on_done=lambda: None)
    asyncio.run(step(settings, meter, waiting=options.waiting))
    return 0


if __name__ == "__main__":
    sys.exit(main())
