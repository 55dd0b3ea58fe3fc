"""Read the body of an answer to a bound and a deadline, and unpack it to a bound.

For a destination whose status carries the verdict, what is missing of the body changes nothing. One whose body
does counts a body that is not whole as no answer.
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
"""The encoding that is asked for and understood. aiohttp would fail at the head of an answer in one that it lacks."""
_GZIP_WINDOW_BITS: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerBody:
    """A body, or its beginning. ``whole``: all of it came, and in order."""

    beginning: bytes
    whole: bool


async def read_body(content: StreamReader, *, max_bytes: int, seconds: float) -> AnswerBody:
    """Return up to ``max_bytes`` of a body that come within ``seconds``. Raises nothing but a cancellation."""
    if content.is_eof() and content.exception() is None:  # the usual case: it came with the head
        return AnswerBody(beginning=content.read_nowait(max_bytes), whole=content.at_eof())
    read = b""
    try:
        async with asyncio.timeout(seconds):
            while len(read) < max_bytes and (chunk := await content.read(max_bytes - len(read))):
                read += chunk
    except (TimeoutError, aiohttp.ClientError, OSError, RuntimeError):  # the last is aiohttp's for a lost connection
        return AnswerBody(beginning=read, whole=False)
    return AnswerBody(beginning=read, whole=content.at_eof())


def unpacked(beginning: bytes, encoding: str | None, *, max_bytes: int) -> bytes:
    """Return the beginning of a body as it was before it was compressed; nothing where that cannot be known."""
    if encoding is None or encoding.lower() == "identity":
        return beginning
    if encoding.lower() != ENCODING:
        return b""
    try:
        return zlib.decompressobj(_GZIP_WINDOW_BITS).decompress(beginning, max_bytes)
    except zlib.error:
        return b""
