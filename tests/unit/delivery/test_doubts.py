from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from pipeline.delivery.doubts import DOUBT_WORDS, USUAL_IN_A_ROW, Doubts, doubt_of
from pipeline.metrics.delivery import Doubt

WARNED = "segment requests count as accepted by their status, and may be lost"
ENDED = "segment answers as usual again"


@pytest.mark.parametrize(
    ("content_type", "body", "doubt"),
    [
        ("application/json", b'{"success":true}', None),
        ("application/json", b'{"success": true}', None),
        (None, b"", None),
        (None, b"{}", None),
        ("application/json", b"[]", None),
        ("application/json", b'{"success":0}', None),
        ("application/json", b'{"success":fal', None),
        ("text/plain", b"accepted", None),
        ("application/xml", b"<multistatus/>", None),
        ("text/html", b"", Doubt.PAGE),
        ("Text/HTML; charset=utf-8", b"<p>", Doubt.PAGE),
        ("application/xhtml+xml", b"", Doubt.PAGE),
        (None, b"\r\n <!DOCTYPE HTML><title>", Doubt.PAGE),
        ("application/json", b"<HTML>", Doubt.PAGE),
        (None, b"\xef\xbb\xbf<!DOCTYPE html>", Doubt.PAGE),
        (None, b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml">', Doubt.PAGE),
        (None, b"<!-- proxy -->\n<html>", Doubt.PAGE),
        ("application/json", b'{"message":"<html>"}', None),
        ("application/json", b'{"success":false}', Doubt.NOT_SUCCESS),
        (None, b' {"message":"no", "success" : false}', Doubt.NOT_SUCCESS),
        (None, b'\xef\xbb\xbf{"success":false}', Doubt.NOT_SUCCESS),
    ],
)
def test_a_page_and_a_denial_are_doubtful(content_type: str | None, body: bytes, doubt: Doubt | None) -> None:
    assert doubt_of(content_type, body) is doubt


def test_every_doubt_has_words() -> None:
    assert set(DOUBT_WORDS) == set(Doubt)


def told(*doubts: Doubt | None) -> list[tuple[str, str]]:
    made = Doubts()
    with capture_logs() as logs:
        for doubt in doubts:
            made.tell(doubt)
    return [(line["log_level"], line["event"]) for line in logs]


def test_a_doubt_is_told_once_until_it_changes() -> None:
    assert told(None, Doubt.PAGE, Doubt.PAGE, None, Doubt.PAGE) == [("warning", WARNED)]
    assert told(Doubt.PAGE, Doubt.NOT_SUCCESS, Doubt.NOT_SUCCESS) == [("warning", WARNED)] * 2


def test_a_doubt_ends_after_many_usual_answers_in_a_row() -> None:
    usual = [None] * USUAL_IN_A_ROW
    assert told(Doubt.PAGE, *usual, *usual) == [("warning", WARNED), ("info", ENDED)]
    assert told(Doubt.PAGE, *usual[1:], Doubt.PAGE, *usual[1:]) == [("warning", WARNED)]
    assert told(Doubt.PAGE, *usual, Doubt.PAGE, *usual) == [("warning", WARNED), ("info", ENDED)] * 2


def test_the_warning_says_why_and_what_to_check() -> None:
    made = Doubts()
    with capture_logs() as logs:
        made.tell(Doubt.NOT_SUCCESS)
    assert "no success" in logs[0]["reason"]
    assert "PIPELINE_SEGMENT_ENDPOINT" in logs[0]["reason"]
