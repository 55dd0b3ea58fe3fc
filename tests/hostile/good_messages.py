"""Good messages around the hostile ones. They contain every kind of personal data, where OneSignal has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from pipeline.kafka import headers
from tests.hostile import record_bodies
from tests.hostile.batches import Batch, Record, encoded
from tests.hostile.messages import Topic
from tests.hostile.planted import personal_text
from tests.integration.test_planted_secrets import planted

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = (headers.FORMAT_VERSION.encode(), headers.RECORD_FORMAT)


def good_batch(topic: Topic, user: str, ids: Sequence[str]) -> bytes:
    """Return a batch of good messages of one user."""
    make = good_event if topic is Topic.RAW else good_record
    return encoded(Batch(records=[make(user, each) for each in ids]))


def good_event(user: str, message_id: str) -> Record:
    """Return a raw message that is delivered under that id."""
    event = planted("message.push.clicked", 0)
    event["event"] |= {"external_id": user, "id": message_id}
    return Record(value=orjson.dumps(event), key=user.encode())


def good_record(user: str, message_id: str, *, filler_bytes: int = 0) -> Record:
    """Return a record as a processor writes it, longer by the given number of bytes."""
    properties = {"told": personal_text(), "filler": "x" * filler_bytes}
    value = record_bodies.call(userId=user, messageId=message_id, properties=properties)
    return Record(value=value, key=user.encode(), headers=(VERSION,))
