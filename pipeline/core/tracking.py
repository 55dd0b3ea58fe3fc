"""The users that were tracked in a billing month, and the message that tracked each first.

A mark contains the offset of the raw message that made it, so whether a user was tracked *before* a message depends on
the log only: a redelivery is decided like the first delivery, whatever was stored in between.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

BEFORE_THE_LOG: Final = -1
"""The offset of a mark that no message of this log made: the user was tracked elsewhere, or in an earlier raw topic."""


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A user became tracked: user and month, as numbered by the tracked users, and the raw offset."""

    user: int
    month: int
    offset: int


class TrackedUsers(Protocol):
    """The tracked users of one raw partition."""

    def marked_at(self, user_key: bytes, timestamp_ms: int) -> int | None:
        """Return the raw offset that first marked a user in the billing month of a time.

        None when no message did, or when the month of the time is not kept.
        """

    def mark_of(self, user_key: bytes, timestamp_ms: int, offset: int) -> Mark | None:
        """Return the mark that a message makes for its user, without storing it.

        None when the month of Kafka's time of the message is not kept.
        """
