from __future__ import annotations

import pytest

from pipeline.delivery.answers import (
    Answered,
    Failure,
    Response,
    Unanswered,
    answer_class,
    answer_name,
    is_success,
)
from pipeline.metrics.delivery import AnswerClass

ROWS: list[tuple[Response, AnswerClass, str]] = [
    (Answered(status=200), AnswerClass.ACCEPTED, "200"),
    (Answered(status=301), AnswerClass.REDIRECTED, "301"),
    (Answered(status=400), AnswerClass.REFUSED, "400"),
    (Answered(status=429), AnswerClass.THROTTLED, "429"),
    (Answered(status=503), AnswerClass.FAILED, "503"),
    (Answered(status=101), AnswerClass.OTHER, "101"),
    (Unanswered(failure=Failure.TIMEOUT), AnswerClass.TIMEOUT, "timeout"),
    (Unanswered(failure=Failure.TLS), AnswerClass.NETWORK, "tls"),
]


@pytest.mark.parametrize(("response", "label", "name"), ROWS)
def test_a_response_has_a_class_and_a_name(response: Response, label: AnswerClass, name: str) -> None:
    assert (answer_class(response), answer_name(response)) == (label, name)


def test_every_class_has_an_example() -> None:
    assert {label for _, label, _ in ROWS} == set(AnswerClass)


@pytest.mark.parametrize(("status", "accepts"), [(199, False), (200, True), (299, True), (300, False)])
def test_the_class_2xx_accepts(status: int, *, accepts: bool) -> None:
    assert is_success(status) is accepts
