"""What becomes of a message: it is delivered, dropped on purpose, or cannot be used.

Reasons are closed enums, safe as metric labels. ``ignored`` are the ids that were present and not used.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from pipeline.core.content import Content
from pipeline.core.ids import IgnoredId
from pipeline.core.kinds import Kind
from pipeline.core.tracking import Mark


class DropReason(StrEnum):
    """Why a message is left out on purpose."""

    TOMBSTONE = "tombstone"
    RULE = "rule"
    SAMPLED_OUT = "sampled_out"
    NOT_TRACKED = "not_tracked"
    """The rule keeps the events of users who were tracked this month before, and this one was not."""
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
    UNREADABLE_EXTERNAL_ID = "unreadable_external_id"
    """The event has an external id that cannot be read, such as a number beyond its digits, and no other."""
    RECORD_TOO_LARGE = "record_too_large"


class StateChange(msgspec.Struct, frozen=True, gc=False):
    """What the caller must remember of a message, from the next message on."""

    mark: Mark | None = None
    learnt: Content | None = None
    """What the message catalogue does not know yet."""


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Send ``record`` on: one Segment track call as JSON bytes.

    ``user_key`` orders and partitions. ``rule`` is the index of the rule that decided; None is the default action.
    ``shadows`` are the indexes of the shadow rules that would have decided. ``filled`` tells that the message
    catalogue knew what the event did not say any more, ``is_timed`` that the event itself told when it happened.
    """

    kind: Kind
    user_key: bytes
    record: bytes
    rule: int | None = None
    change: StateChange | None = None
    shadows: tuple[int, ...] = ()
    filled: bool = False
    ignored: tuple[IgnoredId, ...] = ()
    is_timed: bool = True


class Drop(msgspec.Struct, frozen=True, gc=False):
    """Leave the message out. ``kind`` is None for a message without a body, which has no user either."""

    kind: Kind | None
    reason: DropReason
    rule: int | None = None
    user_key: bytes = b""
    change: StateChange | None = None
    shadows: tuple[int, ...] = ()
    ignored: tuple[IgnoredId, ...] = ()


class Reject(msgspec.Struct, frozen=True, gc=False):
    """Keep the message as a dead letter. ``kind`` is None where the body does not tell it."""

    kind: Kind | None
    reason: RejectReason
    ignored: tuple[IgnoredId, ...] = ()


Outcome: TypeAlias = Deliver | Drop | Reject
