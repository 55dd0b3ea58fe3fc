"""Which users were tracked in a billing month, and by which message first.

A mark carries the offset of the raw message that made it, so whether a user was tracked *before* a message is a
function of the log: a redelivery decides as the first delivery did, whatever was remembered in between.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

BEFORE_THE_LOG: Final = -1
"""The offset of a mark that no message of this log made: the user was counted elsewhere, or in a former raw topic."""


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A user became a tracked one. ``timestamp_ms`` is Kafka's time of the message, ``offset`` its raw offset."""

    user_key: bytes
    timestamp_ms: int
    offset: int


class TrackedUsers(Protocol):
    """The tracked users of one raw partition."""

    def marked_at(self, user_key: bytes, timestamp_ms: int) -> int | None:
        """Return the raw offset that first marked a user in the billing month of a time.

        None when nothing did, or when the time is in no month that is remembered.
        """
