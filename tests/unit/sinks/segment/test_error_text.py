from __future__ import annotations

import orjson
import pytest

from pipeline.sinks.segment.error_text import names_the_write_key


@pytest.mark.parametrize(
    "body",
    [
        b"An invalid write key was provided",
        b'"An invalid write key was provided"',
        b'{"success":false,"message":"An invalid write key was provided"}',
        b'{"code":"invalid_write_key"}',
        b'{"error":"writeKey is required"}',
        b'{"error":{"code":"INVALID_WRITE_KEY"}}',
        b'{"errors":[{"message":"no such write-key"}]}',
        b'{"errors":["the source\'s write key is unknown"]}',
    ],
)
def test_an_error_about_the_write_key_is_seen(body: bytes) -> None:
    assert names_the_write_key(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"5",
        b"{}",
        b'{"success":false,"message":"a record is not valid"}',
        b'{"message":"not valid","batch":[{"event":"An invalid write key was provided"}]}',
        b'{"message":"not valid: {\\"event\\":\\"write key\\"}"}',
        b'{"message":"event \\"my write key\\" is not valid"}',
        b'{"message":"event \'my write key\' is not valid"}',
        b'{"message":"event `my write key` is not valid"}',
        b'{"message":"event \\"my write key' + b"x" * 100 + b'"}',
        b'{"message":"not valid: [write key]"}',
        b'{"record":{"error":"write key"}}',
        b'{"errors":[[[[["write key"]]]]]}',
        b'{"message":"' + b"x" * 500 + b' write key"}',
        b'not valid: {"event":"write key"}',
        b"<html><title>write key</title></html>",
        b'{"batch":[{"event":"write key"',
        b"\xff\xfe",
        b"[" * 3000 + b'"write key"',
        orjson.dumps({"message": None, "error": 5, "properties": "write key"}),
    ],
)
def test_what_an_answer_quotes_is_not_its_error(body: bytes) -> None:
    assert not names_the_write_key(body)
