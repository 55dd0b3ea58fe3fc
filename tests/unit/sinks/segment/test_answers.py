from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from pipeline.core.hold_reasons import HoldReason
from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.decisions import Attempt, Decision, Done, Hold, Refuse, Retry, RetryPolicy
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.certificates import CertificateFault
from pipeline.metrics.delivery import Doubt
from pipeline.sinks.segment.answers import (
    HELD_SERVER_ERRORS,
    RETRIED_STATUSES,
    decide,
    doubt_of,
    names_the_write_key,
)

if TYPE_CHECKING:
    from enum import StrEnum

POLICY = RetryPolicy(base_seconds=0.5, max_seconds=60.0, retry_after_cap_seconds=300.0)
NOW = 1_767_225_600.0


CERTIFICATE = "Segment cannot be reached securely: the certificate "


def decided(response: Response, *, attempt: int = 1, jitter: float = 0.5) -> Decision:
    return decide(response, Attempt(number=attempt, sent_records=3, jitter=jitter, now=NOW, policy=POLICY))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_2xx_is_done(status: int) -> None:
    assert decided(Answered(status=status)) == Done()


@pytest.mark.parametrize("failure", list(Failure))
def test_no_answer_is_tried_again(failure: Failure) -> None:
    assert decided(Unanswered(failure=failure)) == Retry(after_seconds=0.25)


@pytest.mark.parametrize("fault", list(CertificateFault))
def test_a_certificate_that_cannot_be_trusted_holds_and_is_tried_again_slowly(fault: CertificateFault) -> None:
    decision = decided(Unanswered(failure=Failure.CERTIFICATE, certificate=fault))
    assert isinstance(decision, Hold)
    assert (decision.reason, decision.after_seconds) == (HoldReason.CERTIFICATE, 45.0)
    assert decision.advice.startswith(CERTIFICATE)
    assert "check " in decision.advice


@pytest.mark.parametrize(
    ("content_type", "body", "doubt"),
    [("text/html", b"<html>", Doubt.PAGE), ("application/json", b'{"success":false}', Doubt.NOT_SUCCESS)],
)
def test_a_2xx_with_a_doubtful_content_is_done_all_the_same(content_type: str, body: bytes, doubt: Doubt) -> None:
    assert decided(Answered(status=200, content_type=content_type, body=body)) == Done(doubt=doubt)


@pytest.mark.parametrize("status", [408, 410, 429, 460, 500, 502, 503, 504, 507, 511, 520, 529, 599])
def test_what_passes_is_tried_again(status: int) -> None:
    assert decided(Answered(status=status)) == Retry(after_seconds=0.25)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (301, "PIPELINE_SEGMENT_ENDPOINT"),
        (302, "redirects are not followed"),
        (307, "redirects are not followed"),
        (308, "redirects are not followed"),
        (401, "PIPELINE_SEGMENT_WRITE_KEY"),
        (403, "PIPELINE_SEGMENT_WRITE_KEY"),
        (404, "path of PIPELINE_SEGMENT_ENDPOINT"),
        (405, "path of PIPELINE_SEGMENT_ENDPOINT"),
        (407, "proxy"),
        (415, "PIPELINE_SEGMENT_GZIP"),
        (501, "does not know this call"),
        (505, "HTTP version"),
        (101, "another protocol"),
        (303, "redirects are not followed"),
        (304, "a cache answers"),
        (300, "not one of Segment's"),
        (306, "not one of Segment's"),
        (402, "not one of Segment's"),
        (418, "not one of Segment's"),
        (600, "not one of Segment's"),
        (999, "not one of Segment's"),
    ],
)
def test_everything_else_holds_and_says_what_to_check(status: int, says: str) -> None:
    decision = decided(Answered(status=status))
    assert isinstance(decision, Hold)
    assert decision.advice.startswith(f"Segment answered {status}: ")
    assert says in decision.advice


@pytest.mark.parametrize(
    ("status", "reason", "says"),
    [
        (400, DeliveryRejectReason.REFUSED, "PIPELINE_SEGMENT_WRITE_KEY"),
        (413, DeliveryRejectReason.TOO_LARGE, "PIPELINE_SEGMENT_MAX_BATCH_BYTES"),
    ],
)
def test_what_speaks_of_the_records_refuses_them(status: int, reason: StrEnum, says: str) -> None:
    decision = decided(Answered(status=status, body=b'{"success":false}'))
    assert isinstance(decision, Refuse)
    assert decision.reason is reason
    assert decision.advice.startswith(f"Segment answered {status}: ")
    assert says in decision.advice


@pytest.mark.parametrize(
    "body",
    [
        b'{"message":"An invalid Write Key was provided"}',
        b'{"success":false,"code":"invalid_write_key"}',
        b'{"error":"writeKey is required"}',
    ],
)
def test_a_400_that_names_the_write_key_says_so(body: bytes) -> None:
    decision = decided(Answered(status=400, body=body))
    assert isinstance(decision, Hold)
    assert "Segment says that the write key is invalid" in decision.advice


def test_a_hold_asks_again_slowly_and_never_in_step() -> None:
    paces = [decided(Answered(status=401), jitter=jitter) for jitter in (0.0, 0.5, 0.999)]
    assert [round(pace.after_seconds, 1) for pace in paces if isinstance(pace, Hold)] == [30.0, 45.0, 60.0]


def test_the_exceptions_of_the_retried_classes_are_no_others() -> None:
    assert {408, 410, 429, 460} == RETRIED_STATUSES
    assert {501, 505} == HELD_SERVER_ERRORS


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_everywhere(status: int) -> None:
    assert decided(Answered(status=status, retry_after="7")) == Retry(after_seconds=7.0, everywhere=True)


def test_retry_after_is_capped() -> None:
    assert decided(Answered(status=429, retry_after="86400")) == Retry(after_seconds=300.0, everywhere=True)


def test_retry_after_never_shortens_the_backoff() -> None:
    assert decided(Answered(status=429, retry_after="0"), attempt=5) == Retry(after_seconds=4.0, everywhere=True)


def test_a_garbled_retry_after_is_ignored() -> None:
    assert decided(Answered(status=429, retry_after="soon")) == Retry(after_seconds=0.25)


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
    assert doubt_of(Answered(status=200, content_type=content_type, body=body)) is doubt


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
