"""Make the dead letters of a sink."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.core.kinds import KINDS
from pipeline.kafka.dead_letters import DeadLetter

if TYPE_CHECKING:
    from enum import StrEnum

    from pipeline.core.messages import Message
    from pipeline.delivery.api import Api


class _Properties(msgspec.Struct, frozen=True):
    event_kind: str = ""


class _Record(msgspec.Struct, frozen=True):
    properties: _Properties = _Properties()


_decode: msgspec.json.Decoder[_Record] = msgspec.json.Decoder(_Record)


def letter_for(
    api: Api, message: Message, reason: StrEnum, *, record: bytes | None, detail: str | None = None
) -> DeadLetter:
    """Return the dead letter of a message that the sink of a destination rejected.

    Args:
        api: The destination.
        message: The rejected message.
        reason: One of the destination's reasons.
        record: The message's record as JSON; None if it has none.
        detail: The destination's words, uncleaned.
    """
    kind = None if record is None else _kind_in(record)
    return DeadLetter(stage=api.stage, destination=api.name, reason=reason, message=message, kind=kind, detail=detail)


def _kind_in(record: bytes) -> str | None:
    """Return the canonical kind in the property `event_kind`, which records of all destinations have; None if unknown.

    A record is read for this only when it is rejected.
    """
    try:
        kind = _decode.decode(record).properties.event_kind
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return kind if kind in KINDS else None
