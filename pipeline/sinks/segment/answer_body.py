"""Read the body of an answer to a bound and a deadline.

For a destination whose body carries no verdict, such as Segment, what is missing of it changes nothing. One whose body
does takes a body that is not whole for no answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from aiohttp import StreamReader


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
    except (TimeoutError, aiohttp.ClientError, OSError):
        return AnswerBody(beginning=read, whole=False)
    return AnswerBody(beginning=read, whole=content.at_eof())
