"""Check records before they are sent, and separate those that can be sent from dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.delivery.letters import letter_for
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.headers import AVRO_RECORD_FORMAT, FORMAT_VERSION, RECORD_FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.core.messages import Message
    from pipeline.delivery.api import Api
    from pipeline.kafka.dead_letters import DeadLetter

_PRESENT_FORMAT: Final = (FORMAT_VERSION, RECORD_FORMAT)
ReadAvro: TypeAlias = "Callable[[bytes], bytes | DeliveryRejectReason]"
"""Return a record's JSON, or the reject reason. `KeyError`: its schema is not cached, or no longer."""

UNKNOWN_TIME: Final = 0.0
"""The time of an event that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The result of examining a batch.

    ``records`` are the values of ``messages``, which can be sent, in order. ``times`` are the times of their events, in
    seconds since the epoch, or `UNKNOWN_TIME`. ``letters`` are the dead letters of the other messages.
    ``unknown_format`` is the first format version that this program does not know; that message and those after it were
    not examined.
    """

    records: Sequence[bytes]
    messages: Sequence[Message]
    times: Sequence[float]
    letters: Sequence[DeadLetter]
    unknown_format: bytes | None


def examine(
    messages: Sequence[Message],
    *,
    api: Api,
    read_avro: ReadAvro | None = None,
    latest_time: float = float("inf"),
) -> Examined:
    """Check each message of a batch. A message without a format version counts as JSON.

    `read_avro` returns the JSON of a record in Avro. Without it (no schema registry is set), such a record has an
    unknown format. ``latest_time`` is the latest time that an event may have, in seconds since the epoch.
    """
    records: list[bytes] = []
    sendable: list[Message] = []
    times: list[float] = []
    letters: list[DeadLetter] = []
    examine_record = api.examine
    for message in messages:
        found = message.headers
        # The processor writes the version first.
        version = RECORD_FORMAT if found and found[0] == _PRESENT_FORMAT else _format_version(message)
        value = message.value
        if version == AVRO_RECORD_FORMAT and read_avro is not None:
            read = _json_of(value, read_avro)
            if isinstance(read, DeliveryRejectReason):
                letters.append(letter_for(api, message, read, record=None))
                continue
            value = read
        elif version != RECORD_FORMAT:
            return Examined(records=records, messages=sendable, times=times, letters=letters, unknown_format=version)
        if value is None:
            letters.append(letter_for(api, message, DeliveryRejectReason.TOMBSTONE, record=None))
            continue
        seen = examine_record(value)
        if isinstance(seen, StrEnum):
            letters.append(letter_for(api, message, seen, record=value))
        elif seen > latest_time:
            letters.append(letter_for(api, message, DeliveryRejectReason.TOO_FAR_AHEAD, record=value))
        else:
            records.append(value)
            sendable.append(message)
            times.append(seen)
    return Examined(records=records, messages=sendable, times=times, letters=letters, unknown_format=None)


def _json_of(value: bytes | None, read_avro: ReadAvro) -> bytes | DeliveryRejectReason | None:
    """Return the JSON of a record in Avro; None for a tombstone."""
    if value is None:
        return None
    try:
        return read_avro(value)
    except KeyError:
        # Schemas are fetched before a batch gets here. The verdict that a schema is unknown expires after a minute.
        return DeliveryRejectReason.UNKNOWN_SCHEMA


def _format_version(message: Message) -> bytes:
    """Return the first version header that has a value. Kafka allows headers without a value."""
    for name, value in message.headers:
        if name == FORMAT_VERSION and value is not None:
            return value
    return RECORD_FORMAT
