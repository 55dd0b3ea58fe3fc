"""The format of the topic of tracked users, and which messages must be refused.

A mark: key = hash of the user key (8 bytes), first day of the month in days since 1970 (2); value = format version (1),
fingerprint of the secret (4), epoch of the raw topic (4), raw offset plus one (8). A sketch: key = ``sketch``, month
(2), name; value = version, fingerprint, epoch, bound minus one (8), hashes (8 each). All numbers are big-endian.
"""

from __future__ import annotations

import struct
from typing import Final

from pipeline.kafka.errors import ClusterFaultError
from pipeline.settings.mistakes import variable
from pipeline.state.tracked_users import packed_mark
from pipeline.state.user_sketch import UserSketch

FORMAT_VERSION: Final = 1
NO_EPOCH: Final = bytes(4)
_MARK_KEY: Final = struct.Struct(">QH")
_OFFSET: Final = struct.Struct(">Q")
MARK_KEY_LENGTH: Final = _MARK_KEY.size
_HEAD: Final = struct.Struct(">B4s4s")
_MARK_LENGTH: Final = _HEAD.size + 8
_SKETCH: Final = b"sketch"


class ForeignStateError(ClusterFaultError):
    """The topic holds state that this worker must not use; the text says what to do."""


class MarkCodec:
    """Encodes and decodes the marks and sketches of one raw topic's users."""

    def __init__(self, *, fingerprint: bytes, epoch: bytes, topic: str) -> None:
        """Store what identifies our own state.

        Args:
            fingerprint: Identifies the secret.
            epoch: The first bytes of the raw topic's id, which change when it is recreated.
            topic: The name of the topic of tracked users, for error texts.
        """
        self._own_head = _HEAD.pack(FORMAT_VERSION, fingerprint, epoch)
        self.fingerprint = fingerprint
        self.topic = topic

    def mark_key(self, user: int, month: int) -> bytes:
        """Return the key of a mark."""
        return _MARK_KEY.pack(user, month)

    def mark_value(self, offset: int) -> bytes:
        """Return the value of a mark."""
        return self._own_head + _OFFSET.pack(offset + 1)

    def read_mark(self, key: bytes, value: bytes) -> bytes:
        """Return a mark (`packed_mark`). One from a previous raw topic counts as set before this log began.

        Raises:
            ForeignStateError: it was written with another secret, or by a newer version.
        """
        if value[:9] == self._own_head and len(value) == _MARK_LENGTH:
            return key[:8] + value[9:]
        self._check(value)
        if len(value) != _MARK_LENGTH:
            raise self._foreign("messages that are not marks")
        return packed_mark(key[:8], -1)

    def sketch_key(self, name: str, month: int) -> bytes:
        """Return the key of a sketch."""
        return _SKETCH + month.to_bytes(2, "big") + name.encode()

    def sketch_value(self, sketch: UserSketch) -> bytes:
        """Return the value of a sketch."""
        return self._own_head + (sketch.bound - 1).to_bytes(8, "big") + sketch.dump()

    def read_sketch(self, key: bytes, value: bytes) -> tuple[str, int, UserSketch]:
        """Return name, month and sketch.

        Raises:
            ForeignStateError: it was written with another secret, or by a newer version, or is not a sketch.
        """
        self._check(value)
        count, rest = divmod(len(value) - _MARK_LENGTH, 8)
        if not key.startswith(_SKETCH) or rest or count < 0:
            raise self._foreign("messages that are neither marks nor sketches")
        bound, *users = struct.unpack_from(f">{count + 1}Q", value, _HEAD.size)
        month = int.from_bytes(key[len(_SKETCH) : len(_SKETCH) + 2], "big")
        return key[len(_SKETCH) + 2 :].decode(errors="replace"), month, UserSketch(users, bound + 1)

    def _check(self, value: bytes) -> None:
        if len(value) < _HEAD.size:
            raise self._foreign("messages that are not tracked users")
        version, fingerprint, _ = _HEAD.unpack_from(value)
        if version != FORMAT_VERSION:
            raise self._foreign(f"messages of format {version}, which another version of this program wrote")
        if fingerprint != self.fingerprint:
            raise ForeignStateError(
                f"topic `{self.topic}` was written with another {variable('tracked_users_secret')}: set that one "
                "again, or name a new topic, in which nobody is tracked yet"
            )

    def _foreign(self, what: str) -> ForeignStateError:
        return ForeignStateError(
            f"topic `{self.topic}` holds {what}: name a separate topic in {variable('tracked_users_topic')}, or run "
            "the version that wrote it"
        )
