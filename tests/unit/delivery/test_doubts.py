from __future__ import annotations

import structlog
from structlog.testing import capture_logs

from pipeline.delivery.doubts import DOUBT_WORDS, USUAL_IN_A_ROW, Doubts
from pipeline.metrics.delivery import Doubt

WARNED = "accepted requests may be lost"
ENDED = "answers are as expected again"


def new_doubts() -> Doubts:
    return Doubts(structlog.get_logger(), endpoint_setting="PIPELINE_SEGMENT_ENDPOINT")


def test_every_doubt_has_words() -> None:
    assert set(DOUBT_WORDS) == set(Doubt)


def logged(*doubts: Doubt | None) -> list[tuple[str, str]]:
    made = new_doubts()
    with capture_logs() as logs:
        for doubt in doubts:
            made.judged(doubt)
    return [(line["log_level"], line["event"]) for line in logs]


def test_a_doubt_is_told_once_until_it_changes() -> None:
    assert logged(None, Doubt.PAGE, Doubt.PAGE, None, Doubt.PAGE) == [("warning", WARNED)]
    assert logged(Doubt.PAGE, Doubt.NOT_SUCCESS, Doubt.NOT_SUCCESS) == [("warning", WARNED)] * 2


def test_a_doubt_ends_after_many_usual_answers_in_a_row() -> None:
    usual = [None] * USUAL_IN_A_ROW
    assert logged(Doubt.PAGE, *usual, *usual) == [("warning", WARNED), ("info", ENDED)]
    assert logged(Doubt.PAGE, *usual[1:], Doubt.PAGE, *usual[1:]) == [("warning", WARNED)]
    assert logged(Doubt.PAGE, *usual, Doubt.PAGE, *usual) == [("warning", WARNED), ("info", ENDED)] * 2


def test_the_warning_says_why_and_what_to_check() -> None:
    made = new_doubts()
    with capture_logs() as logs:
        made.judged(Doubt.NOT_SUCCESS)
    assert "reports a failure" in logs[0]["reason"]
    assert "PIPELINE_SEGMENT_ENDPOINT" in logs[0]["reason"]
