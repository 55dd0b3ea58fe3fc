"""What becomes of a message: it is delivered, dropped on purpose, or cannot be used.

Reasons are closed enums, safe as metric labels.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from pipeline.core.kinds import Kind

StateChange: TypeAlias = None
"""What a stateful rule will have the caller write down. No rule has state yet, so there is no change but none."""


class DropReason(StrEnum):
    """Why a message is left out on purpose."""

    TOMBSTONE = "tombstone"
    RULE = "rule"
    SAMPLED_OUT = "sampled_out"
    ANONYMOUS = "anonymous"


class RejectReason(StrEnum):
    """Why a message cannot be used."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    NOT_AVRO = "not_avro"
    """The body does not fit the schema that it was written by."""
    UNKNOWN_SCHEMA = "unknown_schema"
    """The registry says that the schema's id does not exist."""
    UNUSABLE_SCHEMA = "unusable_schema"
    """No event can be read by the schema that the body was written by."""
    NOT_AN_EVENT = "not_an_event"
    UNKNOWN_KIND = "unknown_kind"
    ANONYMOUS = "anonymous"
    NO_USER = "no_user"
    RECORD_TOO_LARGE = "record_too_large"


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Send ``record`` on: one Segment track call as JSON bytes.

    ``user_key`` orders and partitions. ``rule`` is the index of the rule that decided; None is the default action.
    """

    kind: Kind
    user_key: bytes
    record: bytes
    rule: int | None = None
    change: StateChange = None


class Drop(msgspec.Struct, frozen=True, gc=False):
    """Leave the message out. ``kind`` is None for a message without a body."""

    kind: Kind | None
    reason: DropReason
    rule: int | None = None
    change: StateChange = None


class Reject(msgspec.Struct, frozen=True, gc=False):
    """Keep the message as a dead letter. ``kind`` is None where the body does not tell it."""

    kind: Kind | None
    reason: RejectReason


Outcome: TypeAlias = Deliver | Drop | Reject
