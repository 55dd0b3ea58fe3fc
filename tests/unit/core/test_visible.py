from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from pipeline.core.visible import visible

STEERING = [
    *range(0x20),
    *range(0x7F, 0xA0),
    0x061C,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2065),
    *range(0x2066, 0x2070),
    0xFEFF,
    0xE0001,
    *range(0xE0020, 0xE0080),
    0xD800,
    0xDFFF,
]


@pytest.mark.parametrize("code", STEERING, ids=hex)
def test_what_steers_hides_or_reorders_is_written_as_json_writes_it(code: int) -> None:
    shown = visible(f"a{chr(code)}b")
    assert shown.isascii()
    assert shown.isprintable()
    assert json.loads(f'"{shown}"') == f"a{chr(code)}b"


def test_every_character_is_either_itself_or_an_escape_of_itself() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        shown = visible(character)
        if shown != character:
            assert json.loads(f'"{shown}"') == character
        elif unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            pytest.fail(hex(code))


@pytest.mark.parametrize(
    "text", ["", "plain", "Grüße, 世界", "مرحبا", "🎉", "a\u00a0b", "back\\slash \\u001b", "e\u0301", "\ue000"]
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[2J", "\\u001b[2J"),
        ("\x9b", "\\u009b"),
        ("\u202e\U000e0041", "\\u202e\\udb40\\udc41"),
        ("\udcff", "\\udcff"),
        ("👩\u200d🚀", "👩\\u200d🚀"),
    ],
)
def test_the_escapes_are_those_of_json(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown
