"""Mixpanel's limits for one event, and the ids that it refuses (schemas/SOURCES.md, "Mixpanel import limits")."""

from __future__ import annotations

import re
from typing import Final

MAX_RECORD_BYTES: Final = 65_536
"""No record that we build is larger: its texts are cut, and there are few of them. Mixpanel accepts events below
1 MB."""

MAX_PROPERTIES: Final = 255
"""Mixpanel accepts fewer than this number of properties."""

MAX_DEPTH: Final = 3
"""The deepest nesting of values."""

MAX_TEXT_CHARACTERS: Final = 255
"""Mixpanel cuts longer texts without a word."""

MAX_INSERT_ID_CHARACTERS: Final = 36

EARLIEST_MS: Final = 31_536_000_000
"""1971-01-01 in milliseconds since the epoch. Mixpanel refuses earlier times."""

LATEST_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999. A later time of Kafka counts as absent."""

DISALLOWED_IDS: Final = frozenset(
    {
        "00000000-0000-0000-0000-000000000000",
        "anon",
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
        "undefined",
        "unknown",
        "<nil>",
        "0",
        "-1",
        "true",
        "false",
        "[]",
        "{}",
    }
)
"""Ids that Mixpanel refuses, in lower case (schemas/SOURCES.md, "Mixpanel disallowed ids")."""

is_spelled_as_insert_id: Final = re.compile(rf"[A-Za-z0-9-]{{1,{MAX_INSERT_ID_CHARACTERS}}}").fullmatch
"""Tests the length and characters of an ``$insert_id``. A disallowed id may pass."""


def is_insert_id(text: str) -> bool:
    """Return whether Mixpanel accepts a text as ``$insert_id``."""
    return is_spelled_as_insert_id(text) is not None and text.lower() not in DISALLOWED_IDS
