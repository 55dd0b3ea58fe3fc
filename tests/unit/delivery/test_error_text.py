from __future__ import annotations

import pytest

from pipeline.delivery.error_text import error_texts


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b"", [""]),
        (b"no such token", ["no such token"]),
        (b'"no such token"', ["no such token"]),
        (b'{"message":"one","code":"two","other":"three"}', ["one", "two"]),
        (b'{"errors":["one",{"detail":"two"},{"other":"three"}]}', ["one", "two"]),
        (b'{"error":{"error":{"error":{"error":"deep"}}}}', []),
        (b'{"message":7,"error":null}', []),
        (b"[[[[1]]]]", []),
        (b"\xffno", ["�no"]),
    ],
)
def test_the_error_texts_of_an_answer_are_its_fields_for_errors(body: bytes, texts: list[str]) -> None:
    assert list(error_texts(body)) == texts


@pytest.mark.parametrize(
    "quoting",
    [
        b'{"message":"not valid: \\"secret\\" "}',
        b'{"message":"not valid: \'secret"}',
        b'{"message":"not valid: `secret`"}',
        b'not valid: {"event":"secret"}',
        b"not valid: <p>secret",
        b'{"message":"' + b"x" * 500 + b' secret"}',
    ],
)
def test_what_an_answer_quotes_is_left_out(quoting: bytes) -> None:
    (text,) = error_texts(quoting)
    assert "secret" not in text


def test_an_apostrophe_quotes_nothing() -> None:
    assert list(error_texts(b"the source's token is unknown")) == ["the source's token is unknown"]
