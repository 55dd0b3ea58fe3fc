"""The outcome of a message: it is delivered, dropped on purpose, or rejected as unusable.

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
    """Why a message is dropped on purpose."""

    TOMBSTONE = "tombstone"
    RULE = "rule"
    SAMPLED_OUT = "sampled_out"
    NOT_TRACKED = "not_tracked"
    """The rule keeps the events of users who were already tracked this month, and this user was not."""
    ANONYMOUS = "anonymous"


class RejectReason(StrEnum):
    """Why a message cannot be used."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    NOT_AVRO = "not_avro"
    """The body does not match the schema that it was written with."""
    UNKNOWN_SCHEMA = "unknown_schema"
    """The registry says that the schema's id does not exist."""
    UNUSABLE_SCHEMA = "unusable_schema"
    """The schema that the body was written with cannot be resolved to an event."""
    NOT_AN_EVENT = "not_an_event"
    UNKNOWN_KIND = "unknown_kind"
    ANONYMOUS = "anonymous"
    NO_USER = "no_user"
    UNREADABLE_EXTERNAL_ID = "unreadable_external_id"
    """The event's only external id cannot be read, such as a number that lost digits."""
    RECORD_TOO_LARGE = "record_too_large"
    NO_TIME = "no_time"
    """Neither the event nor Kafka has a time that the destination accepts."""
    USER_ID_TOO_LONG = "user_id_too_long"
    """The destination would cut the user's id, so several users could become one."""


class StateChange(msgspec.Struct, frozen=True, gc=False):
    """What the caller must remember of a message, beginning with the next message."""

    mark: Mark | None = None
    learnt: Content | None = None
    """Content that the message catalogue does not have yet."""


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """The message is forwarded as ``record``: one call of the destination as JSON bytes.

    ``user_key`` orders and partitions. ``rule`` is the index of the rule that decided; None is the default. ``shadows``
    are the indexes of the shadow rules that would have decided. ``filled``: content that the event lacked came from the
    message catalogue. ``is_timed``: the time comes from the event itself.
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
    """The message is dropped. ``kind`` is None for a message without a body, which has no user either."""

    kind: Kind | None
    reason: DropReason
    rule: int | None = None
    user_key: bytes = b""
    change: StateChange | None = None
    shadows: tuple[int, ...] = ()
    ignored: tuple[IgnoredId, ...] = ()


class Reject(msgspec.Struct, frozen=True, gc=False):
    """The message becomes a dead letter. ``kind`` is None where the body does not contain it."""

    kind: Kind | None
    reason: RejectReason
    ignored: tuple[IgnoredId, ...] = ()


Outcome: TypeAlias = Deliver | Drop | Reject
