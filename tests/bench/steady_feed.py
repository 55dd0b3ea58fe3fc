"""Write events to a topic at a steady rate: ``python -m tests.bench.steady_feed TOPIC RATE SECONDS``.

Each has the present time, in ``datetime`` to the millisecond and in ``timestamp`` the same second, so that the latency
can be measured at the destination. The number of events is printed when Kafka has confirmed all of them.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from confluent_kafka import Producer

from tests.bench.traffic import EVENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK_SECONDS: Final = 0.01
USERS: Final = 20_000
LINGER_MS: Final = 2
_KINDS: Final = (b"message.push.sent", b"message.push.received", b"message.push.clicked", b"message.email.opened")
_DEVICES: Final = (b"iOS", b"Android", b"ChromePush")
_APP: Final = b"7d1c2f5e-63b0-4c1e-9a4c-2f7f0f6a3c11"
_EVENT: Final = (
    b'{"event":{"kind":"%s","id":"%s","timestamp":%d,"datetime":"%s","app_id":"%s","subscription_device_type":"%s",'
    b'"subscription_id":"%s","onesignal_id":"%s","external_id":"%s","data":{}},"message":{"id":"%s","name":"new-year-2026",'
    b'"title":"Happy new year","contents":"%s","template_id":"%s","url":""}}'
)


class Bodies:
    """Builds one event after another, as `tests.bench.traffic` does, but with the present time."""

    def __init__(self, seed: int = 7) -> None:
        chance = random.Random(seed)
        self._ids = _uuids(chance)
        self._users = [b"user-%08d" % number for number in range(USERS)]
        self._subscriptions = [next(self._ids) for _ in self._users]
        self._message, self._template = next(self._ids), next(self._ids)
        self._chance = chance
        self._contents = b""
        shortest = self.next(time.time())[1]
        self._contents = (b"Your first order of the year ships free. " * 10)[: EVENT_BYTES - len(shortest)]

    def next(self, now: float) -> tuple[bytes, bytes]:
        """Build a key and an event that happens now."""
        index = self._chance.randrange(USERS)
        user = self._users[index]
        moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")[:-6].encode() + b"Z"
        body = _EVENT % (
            self._chance.choice(_KINDS),
            next(self._ids),
            int(now),
            moment,
            _APP,
            self._chance.choice(_DEVICES),
            self._subscriptions[index],
            self._subscriptions[index],
            user,
            self._message,
            self._contents,
            self._template,
        )
        return user, body


def _uuids(chance: random.Random) -> Iterator[bytes]:
    while True:
        yield str(uuid.UUID(int=chance.getrandbits(128), version=4)).encode()


def feed(bootstrap_servers: str, topic: str, *, rate: int, seconds: float) -> int:
    """Write events until the time is over; return how many.

    Raises:
        AssertionError: Kafka did not confirm all of them.
    """
    refused: list[object] = []

    def confirmed(error: object, _message: object) -> None:
        if error is not None:
            refused.append(error)

    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "partitioner": "murmur2_random",
            "acks": "all",
            "linger.ms": LINGER_MS,
            "log_level": 0,
        }
    )
    bodies, written = Bodies(), 0
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        now = time.time()
        for _ in range(int(passed * rate) - written):
            key, body = bodies.next(now)
            producer.produce(topic, key=key, value=body, on_delivery=confirmed)
            written += 1
        producer.poll(0)
        time.sleep(TICK_SECONDS)
    left = producer.flush(30)
    assert left == len(refused) == 0, f"{left} events unconfirmed, {len(refused)} refused"
    return written


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("topic")
    parser.add_argument("rate", type=int)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    written = feed(
        os.environ["PIPELINE_KAFKA_BOOTSTRAP_SERVERS"], options.topic, rate=options.rate, seconds=options.seconds
    )
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
