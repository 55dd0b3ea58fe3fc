"""Check records before they are sent: Segment answers 200 to much that it throws away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import msgspec

from pipeline.kafka.dead_letters import DeadLetter, Stage
from pipeline.kafka.headers import AVRO_RECORD_FORMAT, FORMAT_VERSION, RECORD_FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.core.messages import Message

_PRESENT_FORMAT: Final = (FORMAT_VERSION, RECORD_FORMAT)
ReadAvro: TypeAlias = "Callable[[bytes], bytes | SegmentRejectReason]"
"""Return a record's JSON, or why there is none. `KeyError`: its schema is not known, or not any more."""
MAX_MESSAGE_ID_CHARACTERS: Final = 100
"""Segment's limit of `messageId` (schemas/SOURCES.md, "Segment message ids")."""


UNKNOWN_TIME: Final = 0.0


class SegmentRejectReason(StrEnum):
    """Why a record cannot be sent to Segment, or was refused by it when it was sent alone (400; 413 is too large)."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AVRO = "not_avro"
    UNKNOWN_SCHEMA = "unknown_schema"
    UNUSABLE_SCHEMA = "unusable_schema"
    TOO_DEEP = "too_deep"
    NOT_A_TRACK_CALL = "not_a_track_call"
    NO_EVENT_NAME = "no_event_name"
    NO_USER = "no_user"
    NO_MESSAGE_ID = "no_message_id"
    MESSAGE_ID_TOO_LONG = "message_id_too_long"
    REFUSED = "refused"


class _TrackCall(msgspec.Struct, frozen=True, gc=False):
    """What a good record looks like. Fields that are not named here are skipped, not built."""

    type: Literal["track"]
    event: Annotated[str, msgspec.Meta(min_length=1)]
    message_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_MESSAGE_ID_CHARACTERS)] = msgspec.field(
        name="messageId"
    )
    user_id: str | None = msgspec.field(name="userId", default=None)
    anonymous_id: str | None = msgspec.field(name="anonymousId", default=None)
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class _AnyCall(msgspec.Struct, frozen=True, gc=False):
    """The same fields with any values, to find out what is wrong with a record."""

    type: Any = None
    event: Any = None
    message_id: Any = msgspec.field(name="messageId", default=None)
    user_id: Any = msgspec.field(name="userId", default=None)
    anonymous_id: Any = msgspec.field(name="anonymousId", default=None)


_decode_track_call = msgspec.json.Decoder(_TrackCall).decode
_decode_any_call = msgspec.json.Decoder(_AnyCall).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The messages of a batch, sorted out.

    ``records`` are the values of ``messages``, the ones that may be sent, in order. ``times`` are when their events
    happened, in seconds since the epoch, `UNKNOWN_TIME` where that is not told. ``letters`` are the others.
    ``unknown_format`` is the first format version that this program does not know: from that message on, nothing
    was examined.
    """

    records: Sequence[bytes]
    messages: Sequence[Message]
    times: Sequence[float]
    letters: Sequence[DeadLetter]
    unknown_format: bytes | None


def examine(messages: Sequence[Message], *, max_record_bytes: int, read_avro: ReadAvro | None = None) -> Examined:
    """Check each message of a batch. A message without a format version is taken for JSON.

    `read_avro` gives the JSON of a record that was written as Avro; None where no registry is known, to which such a
    record is of an unknown format.
    """
    records: list[bytes] = []
    sendable: list[Message] = []
    times: list[float] = []
    letters: list[DeadLetter] = []
    for message in messages:
        found = message.headers
        # The processor writes the version first.
        version = RECORD_FORMAT if found and found[0] == _PRESENT_FORMAT else _format_version(message)
        value = message.value
        if version == AVRO_RECORD_FORMAT and read_avro is not None:
            read = _json_of(value, read_avro)
            if isinstance(read, SegmentRejectReason):
                letters.append(_letter(message, read))
                continue
            value = read
        elif version != RECORD_FORMAT:
            return Examined(records=records, messages=sendable, times=times, letters=letters, unknown_format=version)
        if value is None:
            letters.append(_letter(message, SegmentRejectReason.TOMBSTONE))
            continue
        seen = look_at(value, max_bytes=max_record_bytes)
        if isinstance(seen, SegmentRejectReason):
            letters.append(_letter(message, seen))
        else:
            records.append(value)
            sendable.append(message)
            times.append(seen)
    return Examined(records=records, messages=sendable, times=times, letters=letters, unknown_format=None)


def _json_of(value: bytes | None, read_avro: ReadAvro) -> bytes | SegmentRejectReason | None:
    """Return the JSON of a record that is Avro; None for a tombstone."""
    if value is None:
        return None
    try:
        return read_avro(value)
    except KeyError:
        # Schemas are looked up before a batch gets here. One that was unknown then is forgotten after a while.
        return SegmentRejectReason.UNKNOWN_SCHEMA


def look_at(record: bytes, *, max_bytes: int) -> SegmentRejectReason | float:
    """Say why Segment could not use a record; if it can, when its event happened, or `UNKNOWN_TIME`.

    The time comes from the same reading that checks the record, so a header for it would only cost more: bytes in
    Kafka, and as much time.
    """
    if len(record) > max_bytes:
        return SegmentRejectReason.TOO_LARGE
    try:
        call = _decode_track_call(record)
        if not record.isascii():
            record.decode()  # msgspec does not look for broken UTF-8 in fields that it skips
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _diagnose(record) or UNKNOWN_TIME
    if call.event.isspace() or call.message_id.isspace() or (call.user_id or call.anonymous_id or " ").isspace():
        return _diagnose(record) or UNKNOWN_TIME
    return UNKNOWN_TIME if call.timestamp is None else call.timestamp.timestamp()


def _diagnose(record: bytes) -> SegmentRejectReason | None:
    """Say the same as `look_at`, slowly: this is the definition, what comes before it is the short way."""
    try:
        record.decode()
        call = _decode_any_call(record)
    except msgspec.ValidationError:
        return SegmentRejectReason.NOT_A_TRACK_CALL
    except (msgspec.DecodeError, UnicodeDecodeError):
        return SegmentRejectReason.NOT_JSON
    except RecursionError:
        return SegmentRejectReason.TOO_DEEP
    for reason, wrong in (
        (SegmentRejectReason.NOT_A_TRACK_CALL, call.type != "track"),
        (SegmentRejectReason.NO_EVENT_NAME, not _is_text(call.event)),
        (SegmentRejectReason.NO_USER, not _is_text(call.user_id) and not _is_text(call.anonymous_id)),
        (SegmentRejectReason.NO_MESSAGE_ID, not _is_text(call.message_id)),
    ):
        if wrong:
            return reason
    too_long = len(call.message_id) > MAX_MESSAGE_ID_CHARACTERS
    return SegmentRejectReason.MESSAGE_ID_TOO_LONG if too_long else None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _letter(message: Message, reason: SegmentRejectReason) -> DeadLetter:
    return DeadLetter(stage=Stage.SEGMENT_SINK, reason=reason, message=message)


def _format_version(message: Message) -> bytes:
    """Return the first version that is named; a header without a value, which Kafka allows, names none."""
    for name, value in message.headers:
        if name == FORMAT_VERSION and value is not None:
            return value
    return RECORD_FORMAT
