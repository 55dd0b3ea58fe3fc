"""Read the body of an answer up to a size and a deadline, and decompress it up to a size.

Where the status of an answer carries the verdict, a missing part of the body changes nothing. Where the body does, a
body that is not whole leaves the result of the request unknown.
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp

if TYPE_CHECKING:
    from aiohttp import StreamReader


ENCODING: Final = "gzip"
"""The only encoding that is requested and read. aiohttp's own decompression fails at the head of an answer whose
encoding is not installed."""
_GZIP_WINDOW_BITS: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerBody:
    """A body, or its beginning. ``whole``: nothing is missing."""

    beginning: bytes
    whole: bool


_UNREADABLE: Final = AnswerBody(beginning=b"", whole=False)


async def read_body(content: StreamReader, *, max_bytes: int, seconds: float) -> AnswerBody:
    """Return the first ``max_bytes`` of a body that arrive within ``seconds``. Raises only on cancellation."""
    if content.is_eof() and content.exception() is None:  # the usual case: the body arrived with the head
        return AnswerBody(beginning=content.read_nowait(max_bytes), whole=content.at_eof())
    read = b""
    try:
        async with asyncio.timeout(seconds):
            while len(read) < max_bytes and (chunk := await content.read(max_bytes - len(read))):
                read += chunk
    except (TimeoutError, aiohttp.ClientError, OSError, RuntimeError):  # the last is aiohttp's after a lost connection
        return AnswerBody(beginning=read, whole=False)
    return AnswerBody(beginning=read, whole=content.at_eof())


def unpacked(body: AnswerBody, encoding: str | None, *, max_bytes: int) -> AnswerBody:
    """Return a body without its compression, up to ``max_bytes``; empty and not whole where it cannot be unpacked."""
    if not body.beginning or encoding is None or encoding.lower() == "identity":
        return body
    if encoding.lower() != ENCODING:
        return _UNREADABLE
    decompressor = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        read = decompressor.decompress(body.beginning, max_bytes + 1)
    except zlib.error:
        return _UNREADABLE
    complete = decompressor.eof and not decompressor.unused_data and len(read) <= max_bytes
    return AnswerBody(beginning=read[:max_bytes], whole=body.whole and complete)
