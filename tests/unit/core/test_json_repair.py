from __future__ import annotations

import json
import math
from typing import Any

import pytest

from pipeline.core.json_repair import (
    beyond_64_bits,
    parse_exactly,
    parse_json,
    with_exact_integers,
    with_finite_numbers,
)
from pipeline.core.outcomes import RejectReason

DIGITS = "12345678901234567890123"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a":1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a":"\n"}', {"a": "\n"}),
        (b'"\n\t\x00\x1f"', "\n\t\0\x1f"),
        (b'{"a\n":"b\t"}', {"a\n": "b\t"}),
        (b'"\\ud83d"', "\ufffd"),
        (b'"\\ude00"', "\ufffd"),
        (b'"\\ud83d\\ud83d\\ude00"', "\ufffd\U0001f600"),
        (b'"\\uD83D\\uDE00\n"', "\U0001f600\n"),
        (b'"\\ud83dx\n\\n\\\\ud83d"', "\ufffdx\n\n\\ud83d"),
        (b'{"a":"\n","b":%b}' % DIGITS.encode(), {"a": "\n", "b": float(DIGITS)}),
        (b'{"a":"\n","b":%b.5}' % DIGITS.encode(), {"a": "\n", "b": float(DIGITS + ".5")}),
        (b"7" * 400, RejectReason.NOT_JSON),
        (b"-" + b"7" * 99, float("-" + "7" * 99)),
    ],
)
def test_json_is_read_and_repaired_where_that_is_needed(text: bytes, value: Any) -> None:
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", RejectReason.NOT_JSON),
        (b"{", RejectReason.NOT_JSON),
        (b'"', RejectReason.NOT_JSON),
        (b'"\\', RejectReason.NOT_JSON),
        (b'"\n', RejectReason.NOT_JSON),
        (b'"\\u12"', RejectReason.NOT_JSON),
        (b'"\\ud8"', RejectReason.NOT_JSON),
        (b'{"a":\x01 "b"}', RejectReason.NOT_JSON),
        (b'{"a":"say "hi"\n"}', RejectReason.NOT_JSON),
        (b"NaN", RejectReason.NOT_JSON),
        (b"\xff", RejectReason.NOT_UTF8),
        (b'"\xff\n"', RejectReason.NOT_UTF8),
        (b"[" * 2_000, RejectReason.TOO_DEEP),
        (b'"\n"' + b"[" * 2_000, RejectReason.NOT_JSON),
        (b'["\n",' + b"[" * 2_000, RejectReason.TOO_DEEP),
    ],
)
def test_what_cannot_be_read_has_a_reason(text: bytes, reason: RejectReason) -> None:
    assert parse_json(text) is reason
    assert parse_exactly(text) is reason


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (DIGITS, DIGITS),
        (f"-{DIGITS}", f"-{DIGITS}"),
        (f"[{DIGITS},{DIGITS} ,\n{DIGITS}]", [DIGITS] * 3),
        (f'{{"a":{DIGITS}}}', {"a": DIGITS}),
        ("9" * 100, "9" * 100),
        ("9" * 101, float("9" * 101)),
        ("-" + "9" * 101, -float("9" * 101)),
        ("123456789012345678", 123456789012345678),
        ("1234567890123456789", "1234567890123456789"),
        (f"{DIGITS}.5", float(f"{DIGITS}.5")),
        (f"{DIGITS}e2", float(f"{DIGITS}e2")),
        (f"{DIGITS}E-2", float(f"{DIGITS}E-2")),
        (f"0.{DIGITS}", float(f"0.{DIGITS}")),
        ("1e22", 1e22),
        (f'"{DIGITS}"', DIGITS),
        (f'"{DIGITS}\\"{DIGITS}"', f'{DIGITS}"{DIGITS}'),
        (f'"\\\\",{DIGITS}', None),
        (f'["\\\\",{DIGITS}]', ["\\", DIGITS]),
        (f'["\\"",{DIGITS},"{DIGITS}"]', ['"', DIGITS, DIGITS]),
    ],
)
def test_integers_beyond_64_bits_keep_their_digits(text: str, value: Any) -> None:
    assert parse_exactly(text.encode()) == (RejectReason.NOT_JSON if value is None else value)
    if isinstance(value, str | list):
        assert json.loads(text, parse_int=str) == value


def test_an_integer_that_is_too_large_for_a_float_is_shortened_where_that_is_asked_for() -> None:
    assert parse_exactly(b"7" * 400) is RejectReason.NOT_JSON
    assert with_finite_numbers(b"7" * 309) == b"1e300"
    assert with_finite_numbers(b'["%b",%b]' % (b"7" * 309, b"7" * 308)) == b'["%b",%b]' % (b"7" * 309, b"7" * 308)
    assert parse_exactly(b'{"a":"\n","b":%b}' % DIGITS.encode()) == {"a": "\n", "b": DIGITS}


@pytest.mark.parametrize("text", [b"", b"{}", b'{"a":1.5,"b":"12345678901234567890"}', b'"\\', b"7" * 18])
def test_where_there_are_none_nothing_is_touched(text: bytes) -> None:
    assert with_exact_integers(text) == text


@pytest.mark.parametrize(
    ("value", "beyond"),
    [
        (2.0**63, True),
        (-(2.0**63), True),
        (1e300, True),
        (math.inf, True),
        (2.0**63 - 1024, False),
        (1.5, False),
        (2**64, False),
        ("1" * 30, False),
        (None, False),
        ([2.0**63], False),
    ],
)
def test_a_float_may_have_been_an_integer_from_2_to_the_63_on(value: object, *, beyond: bool) -> None:
    assert beyond_64_bits(value) is beyond


@pytest.mark.parametrize(
    "piece", [b"\n", b'"', b"\\", b'\\"', b"\\ud83d", b"7", b"-", b"7" * 20 + b",", b'"\n"', b"\0\\", b"7e"]
)
def test_a_megabyte_is_read_or_refused(piece: bytes) -> None:
    filler = piece * (1_000_000 // len(piece))
    for text in (filler, b'"' + filler, b'"\n' + filler + b'"', b'["\n",' + filler + b"]", b'{"a":' + filler):
        found = parse_json(text)
        assert isinstance(found, str | list | float | RejectReason)
        assert isinstance(parse_exactly(text), str | list | float | RejectReason)
