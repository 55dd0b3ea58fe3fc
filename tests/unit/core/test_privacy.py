from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.privacy import clean_detail, clean_reason, clean_url


@pytest.mark.parametrize(
    ("reason", "cleaned"),
    [
        ("550 5.1.1 <jo@mail.example>: user unknown", "550 5.1.1 <[removed]>: user unknown"),
        ("mailto:jo+x@mail.example bounced", "mailto:[removed] bounced"),
        ("to=jo%40mail.example", "to=[removed]"),
        ("number +49 (151) 123-45678 is not reachable", "number [removed] is not reachable"),
        ("15551234567 opted out", "[removed] opted out"),
        ("bad token " + "a1" * 20, "bad token [removed]"),
        ("dGVzdA:APA91b" + "x" * 60, "[removed]"),
        ("InvalidRegistration", "InvalidRegistration"),
        ("error 30007, carrier 310", "error 30007, carrier 310"),
        ("x " * 400, "x " * 250),
    ],
)
def test_a_failure_reason_keeps_what_names_nobody(reason: str, cleaned: str) -> None:
    assert clean_reason(reason) == cleaned


@pytest.mark.parametrize(
    ("url", "cleaned"),
    [
        ("https://shop.example/a/b", "https://shop.example/a/b"),
        ("https://shop.example/a?token=1#x", "https://shop.example/a"),
        ("https://shop.example/a#x?y", "https://shop.example/a"),
        ("https://shop.example/u/jo@mail.example/x", "https://shop.example/u/[removed]/x"),
        ("https://shop.example/u/jo%40mail.example", "https://shop.example/u/[removed]"),
        ("https://jo:secret@shop.example/a", "https://jo:[removed]/a"),
        ("myapp://order/1234567890", "myapp://order/1234567890"),
        ("https://shop.example/call/+49-170-1234567", "https://shop.example/call/[removed]"),
        ("https://shop.example/call/%2B491701234567/x", "https://shop.example/call/[removed]/x"),
        ("https://shop.example/a+b", "https://shop.example/a+b"),
        ("tel:+491701234567", None),
        (" MailTo:jo@mail.example", None),
        ("?a=b", None),
        ("   ", None),
        ("https://shop.example/" + "x" * 2048, None),
    ],
)
def test_a_url_keeps_its_place_alone(url: str, cleaned: str | None) -> None:
    assert clean_url(url) == cleaned


@pytest.mark.parametrize(
    "text", ["a" * 2000, "a@" * 1000, "1 " * 1000, "(" * 2000, "@" * 2000, "%40" * 600, "1(" * 900]
)
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    clean_reason(text)
    clean_url(text)
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        (" \t\n", ""),
        ("properties.time is missing", "properties.time is missing"),
        ("line 1\ncolumn 2", "line 1 column 2"),
        ("a\x00b\x1b[2J", "ab[2J"),
        ("jo\x00@mail\u200b.example", "[removed]"),
        ("+49\x00 151\u200b 12345678", "[removed]"),
        ("half \ud800 of a pair", "half  of a pair"),
        ("ä" * 300, "ä" * 100),
        ("a" + "ä" * 300, "a" + "ä" * 99),
        ("x " * 400, "x " * 99 + "x"),
        ("[removed] " * 60, "[removed] " * 20),
    ],
)
def test_a_detail_is_a_short_line_that_names_nobody(text: str, cleaned: str) -> None:
    assert clean_detail(text) == cleaned.strip()


def test_a_number_that_the_bound_cuts_is_not_left_in_part() -> None:
    reason = f"<{'a' * 60}@{'m' * 255}> and <{'b' * 60}@{'m' * 90}> are not at +49 151 12345678"
    for length in range(len(reason)):
        assert "+4" not in clean_detail("x" * (500 - length) + " " + reason)


@given(st.text(max_size=1_200))
def test_a_detail_is_printable_and_within_its_bound(text: str) -> None:
    found = clean_detail(text)
    assert len(found.encode()) <= 200
    assert found.isprintable()
    assert found == found.strip()
