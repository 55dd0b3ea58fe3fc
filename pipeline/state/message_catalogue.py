"""The contents of messages by message id: bounded in memory, and stored in a compacted topic of one partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from pipeline.core.catalogue import usable
from pipeline.core.content import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_MESSAGES: Final = 100_000
"""The most messages remembered, the latest ones: about 100 MB at 500 bytes each."""
MOST_BYTES: Final = 4_096
"""A larger stored form is kept without contents. If it is still larger, it is not kept."""
MILLISECONDS_A_DAY: Final = 86_400_000


class StoredMessage(msgspec.Struct, frozen=True, gc=False):
    """The stored value, as JSON. Fields that later versions add are ignored."""

    content: Content
    v: int = 1


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(StoredMessage).decode


class MessageCatalogue:
    """The messages of the last days (`pipeline.core.catalogue.Catalogue`), oldest first.

    At most ``longest_step_ms`` of one step of the clock counts. Otherwise a clock that is wrong for a while would make
    the catalogue forget messages, and only a restart brings those back. A process that sleeps longer forgets later.
    None is for a clock that follows message timestamps: it jumps over gaps, and never goes back.
    """

    def __init__(self, *, days: int, longest_step_ms: int | None = MILLISECONDS_A_DAY) -> None:
        self._age_ms = days * MILLISECONDS_A_DAY
        self._longest_step_ms = longest_step_ms
        self._told_ms: int | None = None
        self._now_ms = 0
        self._messages: dict[str, tuple[int, Content]] = {}

    def __len__(self) -> int:
        """Count the messages."""
        return len(self._messages)

    def advance(self, now_ms: int) -> None:
        """Set the present time. Ages count from this clock, so another clock that runs ahead removes nothing."""
        if self._told_ms is None or self._longest_step_ms is None:
            self._now_ms = now_ms
        else:
            step = max(0, min(now_ms - self._told_ms, self._longest_step_ms))
            self._now_ms = min(now_ms, self._now_ms + step)
        self._told_ms = now_ms

    def find(self, message_id: str) -> Content | None:
        """Return what is known of a message."""
        found = self._messages.get(message_id)
        return None if found is None or found[0] < self._now_ms - self._age_ms else found[1]

    def learn(self, content: Content) -> None:
        """Remember the content of a message, as it would be read back. The first content of a message counts."""
        kept = _kept(content)
        if kept is not None:
            self._remember(kept[0], self._now_ms)

    def forget(self, message_ids: Iterable[str]) -> None:
        """Forget messages, so that they are learned again."""
        for message_id in message_ids:
            self._messages.pop(message_id, None)

    def take(self, records: Sequence[Any]) -> None:
        """Add messages that were read from the topic; ignore what is not a stored message."""
        for record in records:
            value = record.value or b""
            if len(value) > MOST_BYTES:
                continue
            try:
                content = usable(_decode(value).content)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if content is not None:
                self._remember(content, min(record.timestamp, self._now_ms))

    def _remember(self, content: Content, at_ms: int) -> None:
        oldest_ms = self._now_ms - self._age_ms
        if not content.id or at_ms < oldest_ms:
            return
        messages = self._messages
        while messages and messages[first := next(iter(messages))][0] < oldest_ms:
            del messages[first]
        if self.find(content.id) is None:
            messages.pop(content.id, None)
            messages[content.id] = (at_ms, content)
        if len(messages) > MOST_MESSAGES:
            del messages[next(iter(messages))]


def stored_form(content: Content) -> tuple[bytes, bytes] | None:
    """Return the key and value to store for a message; None when it is too large."""
    kept = _kept(content)
    return None if kept is None else ((content.id or "").encode(), kept[1])


def _kept(content: Content) -> tuple[Content, bytes] | None:
    """Return what is kept of a message, and its stored value; None when it is too large."""
    for kept in (content, replace(content, contents=None)):
        value = _encode(StoredMessage(kept))
        if len(value) <= MOST_BYTES:
            return kept, value
    return None
