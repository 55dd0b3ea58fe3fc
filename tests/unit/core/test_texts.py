from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.texts import PLACEHOLDERS, SURE_BEGINNINGS, has_no_text, shown, texts_without_nul, without_nul


def test_the_placeholders_are_those_that_were_seen() -> None:
    assert {"null", "undefined", "None", "nan", "NaN", "(null)", "<null>", "<nil>", "[object Object]"} == PLACEHOLDERS


@pytest.mark.parametrize("text", [None, "", " ", "\n\t", "\u00a0", *PLACEHOLDERS])
def test_a_text_that_is_blank_or_a_placeholder_says_nothing(text: str | None) -> None:
    assert shown(text) is None
    assert has_no_text(text)


@pytest.mark.parametrize(
    "text", ["Hi", "Null", "NONE", "null ", " null", "nil", "[object]", "(Null)", "0", "-", "\u200b"]
)
def test_any_other_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text
    assert not has_no_text(text)


@pytest.mark.parametrize(
    ("texts", "nothing"),
    [
        ({}, True),
        ({"en": "null"}, True),
        ({"en": "null", "de": ""}, True),
        ({"en": "", "de": " "}, False),  # an object of blank texts was never filled in from the catalogue
        ({"en": "null", "de": "Hallo"}, False),
        ({"en": "Hi"}, False),
        ({"en": "null", "de": 7}, True),
        ({"en": "null", "de": None}, True),
        ({"en": None}, False),
    ],
)
def test_an_object_says_nothing_where_no_language_does(texts: dict[str, Any], *, nothing: bool) -> None:
    assert has_no_text(texts) is nothing


def test_no_placeholder_begins_as_texts_surely_do() -> None:
    assert not {text[0] for text in PLACEHOLDERS} & SURE_BEGINNINGS
    assert not any(map(str.isspace, SURE_BEGINNINGS))


def test_u_0000_is_taken_out_wherever_it_is() -> None:
    assert without_nul("a") == "a"
    assert without_nul("\0a\0\0b\0") == "ab"
    assert texts_without_nul({"e\0n": "H\0i", "de": 7, "fr": ["\0"]}) == {"e\0n": "Hi", "de": 7, "fr": ["\0"]}
