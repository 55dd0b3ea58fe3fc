"""Write the traffic with librdkafka in its own thread, at a given rate; record each message before it is sent."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException, Producer

from pipeline.kafka.partitioner import partition_for
from pipeline.local.traffic_truth import Fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from confluent_kafka import Message

    from pipeline.core.classification import Destination
    from tests.chaos.ledger import Ledger
    from tests.chaos.traffic import Written

_FLUSH_SECONDS: Final = 60
_LARGEST_BYTES: Final = 2_000_000
_BREATH_SECONDS: Final = 0.02
_STILL_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 2.0


class WriteError(Exception):
    """The broker did not store what was written, or stored it at another offset."""


class Writer:
    """Writes messages by key. Offsets are known in advance: there is no other writer, and the order is kept."""

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        ledgers: Mapping[Destination, Ledger],
        messages: Iterable[Written],
        *,
        partitions: int,
    ) -> None:
        self.per_second = 1_000.0
        self.running = threading.Event()
        self.done = threading.Event()
        self.written = 0
        self.stored = 0
        self.poison: dict[str, int] = {}
        self.error: BaseException | None = None
        self._topic = topic
        self._ledgers = ledgers
        self._ends = [0] * partitions
        self._messages = messages
        self._stop = threading.Event()
        self._at_ms = time.time_ns() // 1_000_000
        self._stored_at = 0.0
        self._partitions: dict[bytes, int] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "linger.ms": 20,
                "message.max.bytes": _LARGEST_BYTES,
                "queue.buffering.max.messages": 20_000,
                "log_level": 0,
            }
        )
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin as soon as ``running`` is set."""
        self._thread.start()

    def stop(self) -> None:
        """Stop writing."""
        self._stop.set()
        self.running.set()
        self._thread.join(_FLUSH_SECONDS)

    def check(self) -> None:
        """Raise the error of the writing thread, if there is one.

        Raises:
            WriteError: the topic does not hold what was written.
        """
        if self.error is not None:
            raise WriteError(str(self.error)) from self.error

    def _run(self) -> None:
        try:
            self._write()
        except BaseException as error:  # noqa: BLE001 -- `check` raises it in the thread that waits
            self.error = error
        finally:
            self.done.set()

    def _write(self) -> None:
        due = time.monotonic()
        for message in self._messages:
            if not self.running.is_set():
                self.running.wait()
                due = time.monotonic()
            if self._stop.is_set():
                break
            self._send(message)
            self._find_leaders()
            due = max(due + 1 / self.per_second, time.monotonic() - 1)
            self._wait_until(due)
        deadline = time.monotonic() + _FLUSH_SECONDS
        while self._producer.flush(_STILL_SECONDS):
            if time.monotonic() > deadline:
                raise WriteError("the broker has not confirmed everything")
            self._find_leaders()

    def _wait_until(self, due: float) -> None:
        """Wait, and handle confirmations meanwhile: each of them ends a poll before its time."""
        while (ahead := due - time.monotonic()) > _BREATH_SECONDS and not self._stop.is_set():
            self._producer.poll(ahead)

    def _find_leaders(self) -> None:
        """Refresh the leaders when nothing is stored: a client that saw none may never do so itself (sampler.py)."""
        now = time.monotonic()
        if not len(self._producer):
            self._stored_at = now
        elif now > self._stored_at + _STILL_SECONDS:
            self._stored_at = now
            with suppress(KafkaException):  # the broker is down
                self._producer.list_topics(self._topic, timeout=_LOOK_SECONDS)

    def _send(self, message: Written) -> None:
        partition = self._partition_of(message.key)
        expected = self._ends[partition]
        self._ends[partition] += 1

        def stored(error: object, stored_message: Message) -> None:
            self.stored += 1
            self._stored_at = time.monotonic()
            if error is not None or stored_message.offset() != expected:
                self.error = WriteError(f"raw {partition}:{expected}: {error}, stored at {stored_message.offset()}")

        for destination, ledger in self._ledgers.items():
            fate = message.fates[destination]
            ledger.wrote(partition, fate, message.message_id if fate is Fate.FORWARDED else None, message.user)
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=message.key,
                    value=message.value,
                    partition=partition,
                    on_delivery=stored,
                    timestamp=self._at_ms,  # all in one month, so that it is known in advance what `tracked_only` keeps
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                break
        self.written += 1
        if message.name:
            self.poison[message.name] = self.poison.get(message.name, 0) + 1
        self._producer.poll(0)

    def _partition_of(self, key: bytes | None) -> int:
        if key is None:
            return self.written % len(self._ends)
        partition = self._partitions.get(key)
        if partition is None:
            partition = self._partitions[key] = partition_for(key, len(self._ends))
        return partition
