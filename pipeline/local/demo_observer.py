"""Observe the processor's output from outside: the headers tell which message became a record or a dead letter.

The observer reads with librdkafka in its own thread, so the pipeline is not checked with its own code. Counters restart
with a worker, but what is in a topic stays.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, TopicPartition

from pipeline.kafka.headers import DESTINATION, SOURCE_OFFSET, SOURCE_PARTITION, SOURCE_TOPIC
from pipeline.local.traffic_population import PRIVATE_MARKS

if TYPE_CHECKING:
    from confluent_kafka import Message

    from pipeline.local.demo_destinations import Names

_FETCHED_AT_ONCE: Final = 2_000
_WAIT_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 10
_MOST_COUNTED: Final = 255

Sightings = defaultdict[int, bytearray]
"""How often each source message was seen, by partition. The index is the offset."""


def _see(sightings: Sightings, partition: int, offset: int) -> None:
    seen = sightings[partition]
    if offset >= len(seen):
        seen.extend(bytes(offset + 1 - len(seen)))
    seen[offset] = min(seen[offset] + 1, _MOST_COUNTED)


@dataclass(slots=True)
class Observed:
    """Counts of what was seen. ``displaced``: records in another partition than their source message's.

    ``leaks``: records that contain personal data.
    """

    forwarded: Sightings = field(default_factory=lambda: defaultdict(bytearray))
    rejected: Sightings = field(default_factory=lambda: defaultdict(bytearray))
    rejected_by_sink: Sightings = field(default_factory=lambda: defaultdict(bytearray))
    records: int = 0
    dead_letters: int = 0
    displaced: int = 0
    leaks: int = 0
    records_read: dict[int, int] = field(default_factory=dict)
    dead_letters_read: dict[int, int] = field(default_factory=dict)

    def add_record(self, partition: int, value: bytes, headers: dict[str, bytes]) -> None:
        """Count one record."""
        source = int(headers[SOURCE_PARTITION])
        _see(self.forwarded, source, int(headers[SOURCE_OFFSET]))
        self.records += 1
        self.displaced += source != partition
        self.leaks += any(mark in value for mark in PRIVATE_MARKS)

    def add_dead_letter(self, headers: dict[str, bytes], *, raw_topic: str) -> None:
        """Count one dead letter of the processor or of the sink."""
        by_processor = headers[SOURCE_TOPIC].decode() == raw_topic
        sightings = self.rejected if by_processor else self.rejected_by_sink
        _see(sightings, int(headers[SOURCE_PARTITION]), int(headers[SOURCE_OFFSET]))
        self.dead_letters += 1


class Observer:
    """Read the records and the dead letters of one destination from their beginning until ``close``."""

    def __init__(self, *, bootstrap_servers: str, destination: str, names: Names, partitions: int) -> None:
        self.observed = Observed()
        self.fault: Exception | None = None
        self._destination = destination.encode()
        self._raw_topic, self._records_topic = names.raw_topic, names.records_topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "demo-observer",  # librdkafka requires one; no offsets are committed
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 50,
                "fetch.error.backoff.ms": 20,
                "log_level": 0,
            }
        )
        topics = (names.records_topic, names.dead_letter_topic)
        self._consumer.assign([TopicPartition(topic, number, 0) for topic in topics for number in range(partitions)])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                for message in self._consumer.consume(_FETCHED_AT_ONCE, timeout=_WAIT_SECONDS):
                    self._add(message)
        except Exception as error:  # noqa: BLE001 -- the run reads the fault of this thread and ends with it
            self.fault = error
        finally:
            self._consumer.close()

    def _add(self, message: Message) -> None:
        error = message.error()
        partition, offset, value = message.partition(), message.offset(), message.value()
        if error is not None or partition is None or offset is None:
            raise RuntimeError(f"the observer cannot read {message.topic()} {partition}: {error}")
        headers: Any = dict(message.headers() or ())
        if message.topic() == self._records_topic:
            self.observed.add_record(partition, value if isinstance(value, bytes) else b"", headers)
            self.observed.records_read[partition] = offset + 1
        else:
            if headers[DESTINATION] == self._destination:
                self.observed.add_dead_letter(headers, raw_topic=self._raw_topic)
            self.observed.dead_letters_read[partition] = offset + 1
