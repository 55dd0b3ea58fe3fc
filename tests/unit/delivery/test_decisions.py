"""The building blocks of decisions, and the check of the claims of a partial answer."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate

import pytest

from pipeline.core.hold_reasons import HoldReason
from pipeline.delivery.answers import Answered, Failure, Unanswered
from pipeline.delivery.decisions import (
    Attempt,
    Decision,
    Done,
    Hold,
    Refuse,
    RefusedRecord,
    Retry,
    RetryPolicy,
    Unknown,
    backoff,
    is_server_error,
    retry_after_seconds,
    retry_later,
    settled,
    unanswered,
)
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.certificates import CertificateFault
from pipeline.metrics.delivery import UnclearAnswer

POLICY = RetryPolicy(base_seconds=0.5, max_seconds=60.0, retry_after_cap_seconds=300.0)
NOW = 1_767_225_600.0


def attempt_of(number: int = 1, *, sent_records: int = 3, jitter: float = 0.5) -> Attempt:
    return Attempt(number=number, sent_records=sent_records, jitter=jitter, now=NOW, policy=POLICY)


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


def test_an_attempt_counts_its_own_backoff_and_holds_from_half_of_the_longest_to_all_of_it() -> None:
    assert [attempt_of(number).backoff_seconds for number in (1, 2, 3, 9)] == [0.25, 0.5, 1.0, 30.0]
    assert [attempt_of(jitter=jitter).slow_seconds for jitter in (0.0, 0.5)] == [30.0, 45.0]


@pytest.mark.parametrize(
    ("retry_after", "number", "decision"),
    [
        (None, 1, Retry(after_seconds=0.25)),
        ("soon", 1, Retry(after_seconds=0.25)),
        ("7", 1, Retry(after_seconds=7.0, everywhere=True)),
        ("0", 5, Retry(after_seconds=4.0, everywhere=True)),
        ("86400", 1, Retry(after_seconds=300.0, everywhere=True)),
    ],
)
def test_a_retry_waits_for_the_longer_of_backoff_and_retry_after(
    retry_after: str | None, number: int, decision: Retry
) -> None:
    assert retry_later(Answered(status=429, retry_after=retry_after), attempt_of(number)) == decision


@pytest.mark.parametrize("failure", list(Failure))
def test_a_request_without_an_answer_is_repeated(failure: Failure) -> None:
    decision = unanswered(Unanswered(failure=failure), attempt_of(2), destination="X", endpoint_setting="X_ENDPOINT")
    assert decision == Retry(after_seconds=0.5)


@pytest.mark.parametrize("fault", list(CertificateFault))
def test_a_certificate_that_cannot_be_trusted_holds(fault: CertificateFault) -> None:
    response = Unanswered(failure=Failure.CERTIFICATE, certificate=fault)
    decision = unanswered(response, attempt_of(), destination="Somebody", endpoint_setting="SOMEBODY_ENDPOINT")
    assert isinstance(decision, Hold)
    assert (decision.reason, decision.after_seconds) == (HoldReason.CERTIFICATE, 45.0)
    assert decision.advice.startswith("Somebody cannot be reached securely: the certificate ")


@pytest.mark.parametrize(("status", "is_one"), [(499, False), (500, True), (599, True), (600, False)])
def test_server_errors_are_the_class_5xx(status: int, *, is_one: bool) -> None:
    assert is_server_error(status) is is_one


def refused(*indexes: int) -> tuple[RefusedRecord, ...]:
    return tuple(RefusedRecord(index=index, reason=DeliveryRejectReason.REFUSED) for index in indexes)


@pytest.mark.parametrize(
    "decision",
    [
        Done(),
        Done(accepted=3),
        Done(refused=refused(0)),
        Done(refused=refused(0, 2), accepted=1),
        Done(refused=refused(2, 2), accepted=2),
        Done(refused=refused(0, 1, 2), accepted=0),
        Retry(after_seconds=7.0),
        Hold(after_seconds=7.0, advice="check it"),
        Refuse(reason=DeliveryRejectReason.REFUSED, advice="check it"),
    ],
)
def test_what_does_not_contradict_the_request_is_trusted(decision: Decision) -> None:
    assert settled(decision, attempt_of(sent_records=3)) is decision


@pytest.mark.parametrize(
    "claimed",
    [
        Done(refused=refused(3)),
        Done(refused=refused(-1)),
        Done(refused=refused(0, 99)),
        Done(accepted=2),
        Done(accepted=4),
        Done(refused=refused(0), accepted=3),
        Done(refused=refused(1, 1), accepted=1),
    ],
)
def test_a_partial_answer_that_contradicts_the_request_is_unknown_and_sent_again(claimed: Done) -> None:
    again = Retry(after_seconds=0.5, unclear=UnclearAnswer.CONTRADICTION)
    assert settled(claimed, attempt_of(2, sent_records=3)) == again


@pytest.mark.parametrize("unclear", UnclearAnswer)
def test_the_third_unclear_answer_in_a_row_holds(unclear: UnclearAnswer) -> None:
    decision = Unknown(answer=unclear, advice="check it")
    attempt = attempt_of(1, sent_records=3)
    for before in (0, 1):
        again = Retry(after_seconds=attempt.backoff_seconds, unclear=unclear)
        assert settled(decision, replace(attempt, unclear_before=before)) == again
    for before in (2, 3, 99):
        held = Hold(after_seconds=attempt.slow_seconds, advice="check it", unclear=unclear)
        assert settled(decision, replace(attempt, unclear_before=before)) == held


@pytest.mark.parametrize(
    ("number", "jitter", "seconds"), [(1, 0.0, 3.0), (1, 0.5, 5.0), (2, 0.0, 5.0), (6, 0.0, 61.0), (60, 0.75, 64.0)]
)
def test_jitter_can_be_added_to_the_whole_delay(number: int, jitter: float, seconds: float) -> None:
    policy = RetryPolicy(
        base_seconds=2.0, max_seconds=60.0, retry_after_cap_seconds=300.0, added_jitter_seconds=(1.0, 5.0)
    )
    assert backoff(number, jitter=jitter, policy=policy) == seconds
