"""The headers of a dead letter, format 2. Whatever a message contains, they take at most `MAX_HEADER_BYTES`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pipeline.core.privacy import clean_detail
from pipeline.kafka import headers
from pipeline.kafka.fetched.messages import NO_TIMESTAMP, own_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.core.messages import Message
    from pipeline.kafka.dead_letters import DeadLetter

MAX_HEADER_BYTES: Final = 1_024
"""Bound of a dead letter's headers: their names, 200 bytes of detail, a topic name of at most 249 characters …"""

_WRITTEN: Final[Mapping[str, re.Pattern[bytes]]] = {
    headers.FORMAT_VERSION: re.compile(rb"[0-9]{1,5}"),
    headers.SOURCE_PARTITION: re.compile(rb"[0-9]{1,10}"),
    headers.SOURCE_OFFSET: re.compile(rb"[0-9]{1,19}"),
    headers.RULES_VERSION: re.compile(rb"[0-9a-f]{12}"),
}
"""The headers that a processor writes on records, with the form of each. Anything else may be personal data."""


def letter_headers(letter: DeadLetter, *, rejected_at: bytes) -> list[tuple[str, bytes]]:
    """Return the headers of a dead letter. All values are ASCII, except `detail`, which is UTF-8."""
    message = letter.message
    return [
        (headers.REASON, letter.reason.value.encode()),
        (headers.STAGE, letter.stage.encode()),
        (headers.DESTINATION, letter.destination.encode()),
        *_kind(letter),
        (headers.SOURCE_TOPIC, message.topic.encode()),
        (headers.SOURCE_PARTITION, b"%d" % message.partition),
        (headers.SOURCE_OFFSET, b"%d" % message.offset),
        *_source_timestamp(message),
        (headers.REJECTED_AT, rejected_at),
        (headers.RULES_VERSION, letter.rules_version),
        (headers.FORMAT_VERSION, headers.DEAD_LETTER_FORMAT),
        *_detail(letter),
        *_source_headers(message),
    ]


def _kind(letter: DeadLetter) -> Iterator[tuple[str, bytes]]:
    if letter.kind is not None:
        yield headers.KIND, letter.kind.encode()


def _source_timestamp(message: Message) -> Iterator[tuple[str, bytes]]:
    if message.timestamp != NO_TIMESTAMP:
        yield headers.SOURCE_TIMESTAMP, b"%d" % message.timestamp


def _detail(letter: DeadLetter) -> Iterator[tuple[str, bytes]]:
    if letter.detail is not None and (detail := clean_detail(letter.detail)):
        yield headers.DETAIL, detail.encode()


def _source_headers(message: Message) -> Iterator[tuple[str, bytes]]:
    """Yield the first header of each name that a processor writes, if its value has the form of the processor's."""
    found: dict[str, bytes] = {}
    for name, value in own_headers(message):
        if name in _WRITTEN and value is not None and _WRITTEN[name].fullmatch(value):
            found.setdefault(name, value)
    for name, value in found.items():
        yield headers.SOURCE_HEADER_PREFIX + name, value
