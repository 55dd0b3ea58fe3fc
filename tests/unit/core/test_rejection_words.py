from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.events import decode
from pipeline.core.outcomes import RejectReason
from pipeline.core.rejection_words import json_words
from tests.integration.test_planted_secrets import EMAIL, PHONE, PUSH_TOKEN

PLANTED = (EMAIL, PHONE, PUSH_TOKEN, "6f1a0cf2b7d94e0f")


def words_of(body: bytes) -> str | None:
    reason = decode(body)
    assert isinstance(reason, RejectReason)
    return json_words(body, reason)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"event":{"kind":"\xff"}}', "invalid start byte at byte 18"),
        (b'{"event":', "unexpected end of data: line 1 column 10 (char 9)"),
        (b'{"event":\n{"kind":"a",}}', "trailing comma is not allowed: line 2 column 12 (char 21)"),
        (b"[" * 2_000 + b"]" * 2_000, "depth limit exceeded: line 1 column 1026 (char 1025)"),
        (b"\xef\xbb\xbf{", "unexpected end of data: line 1 column 2 (char 1)"),
        (b'{"a":1e999}', "number is infinity when parsed as double: line 1 column 6 (char 5)"),
        (b"[]", "the body is an array, not an object"),
        (b'"text"', "the body is a string, not an object"),
        (b"7", "the body is a number, not an object"),
        (b"7.5", "the body is a number, not an object"),
        (b"true", "the body is true or false, not an object"),
        (b"null", "the body is null, not an object"),
        (b"{}", "no event kind under any known name"),
        (b'{"event":{"kind":""}}', "no event kind under any known name"),
    ],
)
def test_a_body_is_described_by_what_is_wrong_and_where(body: bytes, words: str) -> None:
    reason = decode(body)
    assert json_words(body, reason if isinstance(reason, RejectReason) else RejectReason.NOT_AN_EVENT) == words


def test_a_fault_behind_one_that_is_repaired_is_the_one_that_is_described() -> None:
    assert words_of(b'{"a":"\x01","b":}') == ("unexpected character, expected a JSON value: line 1 column 19 (char 18)")


@pytest.mark.parametrize("reason", sorted(set(RejectReason) - {"not_utf8", "not_json", "too_deep", "not_an_event"}))
def test_other_reasons_say_it_all(reason: RejectReason) -> None:
    assert json_words(b'{"event":{}}', reason) is None


def test_a_body_that_can_be_parsed_has_no_fault() -> None:
    assert json_words(b"{}", RejectReason.NOT_JSON) is None


BROKEN = st.sampled_from([b"", b"{", b"}", b",", b":", b'"', b"\xff", b"\\", b"[", b"1e999", b"\\u12", b"\n", b" "])
PLANTED_PARTS = st.sampled_from([text.encode() for text in PLANTED])


@given(st.lists(BROKEN | PLANTED_PARTS | st.binary(max_size=5), max_size=12).map(b"".join))
def test_no_word_of_a_body_is_repeated(body: bytes) -> None:
    for reason in RejectReason:
        words = json_words(body, reason) or ""
        assert not [text for text in PLANTED if text in words]
        assert words.isascii()
