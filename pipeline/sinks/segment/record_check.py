"""Check a record before it is sent, because Segment answers 200 to many invalid records and discards them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from pipeline.core.destinations.segment.limits import MAX_MESSAGE_ID_CHARACTERS
from pipeline.delivery.examination import UNKNOWN_TIME
from pipeline.delivery.reject_reasons import DeliveryRejectReason


class SegmentRejectReason(StrEnum):
    """The reject reasons of Segment, besides those that all destinations share."""

    NOT_A_TRACK_CALL = "not_a_track_call"
    NO_EVENT_NAME = "no_event_name"
    NO_USER = "no_user"
    NO_MESSAGE_ID = "no_message_id"
    MESSAGE_ID_TOO_LONG = "message_id_too_long"


class _TrackCall(msgspec.Struct, frozen=True, gc=False):
    """A valid record. Fields that are not named here are skipped while decoding."""

    type: Literal["track"]
    event: Annotated[str, msgspec.Meta(min_length=1)]
    message_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_MESSAGE_ID_CHARACTERS)] = msgspec.field(
        name="messageId"
    )
    user_id: str | None = msgspec.field(name="userId", default=None)
    anonymous_id: str | None = msgspec.field(name="anonymousId", default=None)
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class _AnyCall(msgspec.Struct, frozen=True, gc=False):
    """The same fields with any values, to find out why a record is invalid."""

    type: Any = None
    event: Any = None
    message_id: Any = msgspec.field(name="messageId", default=None)
    user_id: Any = msgspec.field(name="userId", default=None)
    anonymous_id: Any = msgspec.field(name="anonymousId", default=None)


_decode_track_call = msgspec.json.Decoder(_TrackCall).decode
_decode_any_call = msgspec.json.Decoder(_AnyCall).decode


def check_record(record: bytes, *, max_bytes: int) -> StrEnum | float:
    """Return the reason why a record is invalid; if it is valid, the time of its event, or `UNKNOWN_TIME`.

    The time is decoded together with the checked fields. A Kafka header for it would cost bytes and as much time.
    """
    if len(record) > max_bytes:
        return DeliveryRejectReason.TOO_LARGE
    try:
        call = _decode_track_call(record)
        if not record.isascii():
            record.decode()  # msgspec does not validate the UTF-8 of skipped fields
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _diagnose(record) or UNKNOWN_TIME
    if call.event.isspace() or call.message_id.isspace() or (call.user_id or call.anonymous_id or " ").isspace():
        return _diagnose(record) or UNKNOWN_TIME
    return UNKNOWN_TIME if call.timestamp is None else call.timestamp.timestamp()


def _diagnose(record: bytes) -> StrEnum | None:
    """Return the same reason as `check_record`, slowly. This is the definition; `check_record` is the fast path."""
    try:
        record.decode()
        call = _decode_any_call(record)
    except msgspec.ValidationError:
        return SegmentRejectReason.NOT_A_TRACK_CALL
    except (msgspec.DecodeError, UnicodeDecodeError):
        return DeliveryRejectReason.NOT_JSON
    except RecursionError:
        return DeliveryRejectReason.TOO_DEEP
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
