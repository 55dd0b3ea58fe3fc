"""The data of the measurements: typical nested events of 737 bytes, all forwarded, keyed by user."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self, TypeAlias

from confluent_kafka import Producer

from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.kafka import headers
from tests.builders import SEGMENT
from tests.integration.clients import StoredMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.core.record_builders import RecordBuilders

Written: TypeAlias = tuple[bytes, bytes, tuple[tuple[str, bytes], ...]]
"""Key, value and headers of a message."""

EVENT_BYTES = 737
_START = datetime(2026, 1, 1, tzinfo=UTC)
_APP = "7d1c2f5e-63b0-4c1e-9a4c-2f7f0f6a3c11"
_KINDS = ("message.push.sent", "message.push.received", "message.push.clicked", "message.email.opened")
_DEVICES = ("iOS", "Android", "ChromePush")
_FLUSH_SECONDS = 60
_QUEUED_MESSAGES = 100_000


def events(count: int, *, users: int = 20_000, seed: int = 7) -> Iterator[tuple[bytes, bytes]]:
    """Generate events with their keys; the same seed gives the same ones."""
    chance = random.Random(seed)
    template = uuid.UUID(int=chance.getrandbits(128), version=4)
    message = uuid.UUID(int=chance.getrandbits(128), version=4)
    for number in range(count):
        moment = _START + timedelta(milliseconds=number)
        user = f"user-{chance.randrange(users):08d}"
        event: dict[str, dict[str, object]] = {
            "event": {
                "kind": chance.choice(_KINDS),
                "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                "timestamp": int(moment.timestamp()),
                "datetime": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "app_id": _APP,
                "subscription_device_type": chance.choice(_DEVICES),
                "subscription_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                "onesignal_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                "external_id": user,
                "data": {},
            },
            "message": {
                "id": str(message),
                "name": "new-year-2026",
                "title": "Happy new year",
                "contents": "",
                "template_id": str(template),
                "url": "",
            },
        }
        yield user.encode(), _padded(event)


def _padded(event: dict[str, dict[str, object]]) -> bytes:
    """Encode an event, with its text padded to the wanted size."""
    missing = EVENT_BYTES - len(json.dumps(event, separators=(",", ":")))
    event["message"]["contents"] = ("Your first order of the year ships free. " * 10)[:missing]
    return json.dumps(event, separators=(",", ":")).encode()


def fill(bootstrap_servers: str, topic: str, pairs: Iterable[tuple[bytes, bytes]]) -> None:
    """Write keys and values to a topic, partitioned as Kafka's Java client does.

    Raises:
        AssertionError: the broker did not confirm all of them.
    """
    with Filler(bootstrap_servers, topic) as filler:
        for key, value in pairs:
            filler.put(key, value)


def fill_records(
    bootstrap_servers: str, topic: str, pairs: Iterable[tuple[bytes, bytes]], *, records: RecordBuilders = SEGMENT
) -> None:
    """Write the records that a processor builds from events."""
    with Filler(bootstrap_servers, topic) as filler:
        for record in record_messages(pairs, records=records):
            filler.put(*record)


def record_messages(pairs: Iterable[tuple[bytes, bytes]], *, records: RecordBuilders = SEGMENT) -> Iterator[Written]:
    """Build the records that a processor builds from events, with its headers."""
    policy = Policy(records=records)
    for offset, (key, value) in enumerate(pairs):
        message = StoredMessage(topic="", partition=0, offset=offset, key=key, value=value, timestamp=0, headers=())
        outcome = process(message, policy, STATELESS)
        assert isinstance(outcome, Deliver), outcome
        message_headers = (
            (headers.SOURCE_PARTITION, b"0"),
            (headers.SOURCE_OFFSET, b"%d" % offset),
            (headers.FORMAT_VERSION, headers.RECORD_FORMAT),
            (headers.RULES_VERSION, policy.version.encode()),
        )
        yield key, outcome.record, message_headers


class Filler:
    """Writes to one topic; leaving the block waits for every confirmation."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._topic = topic
        self._failed = 0
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "partitioner": "murmur2_random",
                "acks": "all",
                "linger.ms": 50,
                "batch.size": 262_144,
                "queue.buffering.max.messages": _QUEUED_MESSAGES,
                "log_level": 0,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        left = self._producer.flush(_FLUSH_SECONDS)
        assert left == self._failed == 0, f"{left} messages unconfirmed, {self._failed} refused"

    def put(self, key: bytes, value: bytes, message_headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        """Write a message; wait while too many are unconfirmed."""
        while True:
            try:
                self._producer.produce(
                    self._topic, key=key, value=value, headers=list(message_headers), on_delivery=self._confirmed
                )
            except BufferError:
                self._producer.poll(1)
            else:
                self._producer.poll(0)
                return

    def _confirmed(self, error: object, _message: object) -> None:
        self._failed += error is not None
