from __future__ import annotations

from email.utils import formatdate

import pytest

from pipeline.core.hold_reasons import HoldReason
from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.decisions import (
    HELD_SERVER_ERRORS,
    RETRIED_STATUSES,
    Decision,
    Done,
    Hold,
    Refuse,
    Retry,
    RetryPolicy,
    backoff,
    decide,
    retry_after_seconds,
)
from pipeline.delivery.examination import SegmentRejectReason
from pipeline.kafka.certificates import CertificateFault
from pipeline.metrics.delivery import Doubt

POLICY = RetryPolicy(base_seconds=0.5, max_seconds=60.0, retry_after_cap_seconds=300.0)
NOW = 1_767_225_600.0


CERTIFICATE = "Segment cannot be spoken to: the certificate "


def decided(response: Response, *, attempt: int = 1, jitter: float = 0.5) -> Decision:
    return decide(response, attempt=attempt, jitter=jitter, now=NOW, policy=POLICY)


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


@pytest.mark.parametrize("doubt", list(Doubt))
def test_a_2xx_with_a_doubtful_content_is_done_all_the_same(doubt: Doubt) -> None:
    assert decided(Answered(status=200, doubt=doubt)) == Done(doubt=doubt)


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
        (304, "a cache on the way"),
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
        (400, SegmentRejectReason.REFUSED, "PIPELINE_SEGMENT_WRITE_KEY"),
        (413, SegmentRejectReason.TOO_LARGE, "PIPELINE_SEGMENT_MAX_BATCH_BYTES"),
    ],
)
def test_what_speaks_of_the_records_refuses_them(status: int, reason: SegmentRejectReason, says: str) -> None:
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


@pytest.mark.parametrize(
    ("attempt", "longest"), [(0, 0.5), (1, 0.5), (2, 1.0), (3, 2.0), (7, 32.0), (8, 60.0), (9, 60.0), (10**9, 60.0)]
)
def test_backoff_doubles_up_to_the_cap(attempt: int, longest: float) -> None:
    assert backoff(attempt, jitter=1.0, policy=POLICY) == longest
    assert backoff(attempt, jitter=0.0, policy=POLICY) == 0.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("²", None),
        ("9" * 5000, float("inf")),
        (formatdate(NOW + 20, usegmt=True), 20.0),
        (formatdate(NOW - 20, usegmt=True), None),
        (formatdate(NOW, usegmt=True), None),
        ("Thu, 01 Jan 2026 00:00:20 -0000", 20.0),
        ("Thursday, 01-Jan-26 00:00:20 GMT", 20.0),
        ("Thu, 99 Jan 2026 00:00:20 GMT", None),
        ("Thu, 01 Jan 99999999 00:00:20 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_garbage_is_nothing(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, now=NOW) == seconds


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_everywhere(status: int) -> None:
    assert decided(Answered(status=status, retry_after="7")) == Retry(after_seconds=7.0, everywhere=True)


def test_retry_after_is_capped() -> None:
    assert decided(Answered(status=429, retry_after="86400")) == Retry(after_seconds=300.0, everywhere=True)


def test_retry_after_never_shortens_the_backoff() -> None:
    assert decided(Answered(status=429, retry_after="0"), attempt=5) == Retry(after_seconds=4.0, everywhere=True)


def test_a_garbled_retry_after_is_ignored() -> None:
    assert decided(Answered(status=429, retry_after="soon")) == Retry(after_seconds=0.25)
