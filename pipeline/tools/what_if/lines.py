"""Read traffic from a file or standard input, one message per line.

A line is an event, or a message with an event: `{"key": …, "timestamp": …, "value": …}`. The value is JSON, a string
or null. The output of `kcat -J` is accepted too, with the names `ts` and `payload`. Times are in milliseconds.
An event without a message has its own time. A line that is not JSON is an unusable message, as it would be in Kafka.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pipeline.core.messages import Message

MOST_LINE_BYTES: Final = 16_777_216
"""Far more than Kafka accepts as a message: a file with a longer line has other content, and may be endless."""
_LINES_PER_BATCH: Final = 2_000
_NULL: Final = b"null"


class UnusableLinesError(ValueError):
    """A line is longer than any message, or the file can no longer be read; the text has the line or the reason."""


class _Line(msgspec.Struct, frozen=True, gc=False):
    """A message with an event."""

    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    timestamp: Any = None
    ts: Any = None
    event: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class LineMessage(msgspec.Struct, frozen=True, gc=False):
    """A line as a message (`pipeline.core.messages.Message`); ``offset`` is its index in the file, from 0."""

    offset: int
    value: bytes | None
    timestamp: int = -1
    topic: str = "file"
    partition: int = 0
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


_decode_line: Final = msgspec.json.Decoder(_Line).decode


def message_of(line: bytes, offset: int) -> LineMessage:
    """Return the message of a line. Accepts any bytes."""
    try:
        found = _decode_line(line)
        written = found.payload if isinstance(found.value, msgspec.UnsetType) else found.value
        if isinstance(written, msgspec.UnsetType) or not isinstance(found.event, msgspec.UnsetType):
            return LineMessage(offset, line)
        body = _body(bytes(written))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return LineMessage(offset, line)
    written_at = found.ts if found.timestamp is None else found.timestamp
    timestamp = written_at if isinstance(written_at, int) and not isinstance(written_at, bool) else -1
    return LineMessage(offset, body, timestamp)


def _body(written: bytes) -> bytes | None:
    if written == _NULL:
        return None
    if written[:1] != b'"':
        return written
    return msgspec.json.decode(written, type=str).encode("utf-8", "surrogatepass")


class LinesSource:
    """Traffic from an open file (`pipeline.tools.what_if.sources.Source`); `done` and `total` are bytes."""

    def __init__(self, file: IO[bytes], *, title: str, total: int | None) -> None:
        """Read from a file with a name for people and its size in bytes, if known."""
        self._file = file
        self.title = title
        self.total = total
        self.done = 0

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """Yield the lines that are not blank, in batches.

        Raises:
            UnusableLinesError: a line is longer than any message, or the file can no longer be read.
        """
        offset = 0
        while lines := _next_lines(self._file, offset):
            self.done += sum(map(len, lines))
            batch = list(_messages(lines, offset))
            offset += len(lines)
            yield batch


def _next_lines(file: IO[bytes], offset: int) -> list[bytes]:
    """Read a batch of lines. No line is longer than the limit, and their sum exceeds it by one line at most."""
    try:
        return _lines_within(file, offset)
    except OSError as error:
        raise UnusableLinesError(f"it cannot be read: {error.strerror}") from error


def _lines_within(file: IO[bytes], offset: int) -> list[bytes]:
    lines: list[bytes] = []
    left = MOST_LINE_BYTES
    while len(lines) < _LINES_PER_BATCH and left > 0 and (line := file.readline(MOST_LINE_BYTES + 1)):
        if len(line) > MOST_LINE_BYTES:
            raise UnusableLinesError(f"line {offset + len(lines) + 1:,} has more than {MOST_LINE_BYTES:,} bytes")
        lines.append(line)
        left -= len(line)
    return lines


def _messages(lines: Sequence[bytes], first: int) -> Iterator[LineMessage]:
    for offset, line in enumerate(lines, first):
        stripped = line.strip()
        if stripped:
            yield message_of(stripped, offset)
