"""Every answer of Mixpanel, and what it means."""

from __future__ import annotations

from dataclasses import replace

import orjson
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
)
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.certificates import CertificateFault
from pipeline.metrics.delivery import UnclearAnswer
from pipeline.sinks.mixpanel.answers import decide
from tests.fakes.mixpanel import refusal, row, success

POLICY = RetryPolicy(base_seconds=2.0, max_seconds=60.0, retry_after_cap_seconds=300.0, added_jitter_seconds=(1.0, 5.0))
ATTEMPT = Attempt(number=1, sent_records=3, jitter=0.5, now=1_767_225_600.0, policy=POLICY)
PAGE = b"<html><title>403 Forbidden</title></html>"
PROXY = b"upstream connect error or disconnect/reset before headers"


def decided(answer: Answered | Unanswered, *, attempt: int = 1, sent: int = 3) -> Decision:
    return decide(answer, replace(ATTEMPT, number=attempt, sent_records=sent))


def json_answer(status: int, body: object) -> Answered:
    return Answered(status=status, content_type="application/json", body=orjson.dumps(body))


def refused(index: int, detail: str | None = "properties.time") -> RefusedRecord:
    return RefusedRecord(index=index, reason=DeliveryRejectReason.REFUSED, detail=detail)


def unclear(decision: Decision) -> UnclearAnswer:
    assert isinstance(decision, Unknown)
    assert "PIPELINE_MIXPANEL_ENDPOINT" in decision.advice
    return decision.answer


def held(decision: Decision) -> str:
    assert isinstance(decision, Hold)
    assert decision.after_seconds == 45.0
    return decision.advice


def test_the_number_that_was_sent_is_accepted() -> None:
    assert decided(success(3)) == Done(accepted=3)


@pytest.mark.parametrize("number", [0, 2, 4, 2000])
def test_trap_1_another_number_than_was_sent_leaves_the_result_unknown(number: int) -> None:
    assert unclear(decided(success(number))) is UnclearAnswer.CONTRADICTION


@pytest.mark.parametrize("body", [{}, {"num_records_imported": None}, {"num_records_imported": "3"}, {"status": 1}])
def test_a_200_without_a_number_is_not_success(body: object) -> None:
    assert unclear(decided(json_answer(200, body))) is UnclearAnswer.NOT_UNDERSTOOD


@pytest.mark.parametrize("number", [True, 3.0, -3, "3", [3]])
def test_only_a_whole_number_counts_records(number: object) -> None:
    assert unclear(decided(success(number))) is UnclearAnswer.NOT_UNDERSTOOD


@pytest.mark.parametrize("body", [b"", b"1", b"[]", b"null", PAGE, PROXY, b"\xff", b'{"num_records_imported":3'])
def test_a_200_that_is_no_report_leaves_the_result_unknown(body: bytes) -> None:
    assert unclear(decided(Answered(status=200, body=body))) is UnclearAnswer.NOT_UNDERSTOOD


def test_the_null_error_of_the_form_mode_is_not_success() -> None:
    assert unclear(decided(json_answer(200, {"status": 1, "error": None}))) is UnclearAnswer.NOT_UNDERSTOOD


@pytest.mark.parametrize("status", [201, 202, 204, 207])
def test_another_2xx_is_not_mixpanels(status: int) -> None:
    assert f"Mixpanel answered {status}" in held(decided(success(3, status=status)))


@pytest.mark.parametrize("answer", [success(3, whole=False), refusal(row(0), imported=2, whole=False)])
def test_a_cut_answer_leaves_the_result_unknown(answer: Answered) -> None:
    assert unclear(decided(answer)) is UnclearAnswer.NOT_WHOLE


def test_listed_records_are_refused_and_the_others_accepted() -> None:
    decision = decided(refusal(row(0), row(2, "properties.$insert_id"), imported=1))
    assert decision == Done(refused=(refused(0), refused(2, "properties.$insert_id")), accepted=1)


def test_every_record_may_be_listed() -> None:
    assert decided(refusal(row(0), row(1), row(2))) == Done(refused=(refused(0), refused(1), refused(2)), accepted=0)


def test_two_rows_for_one_record_are_one_refusal_and_the_first_row_counts() -> None:
    decision = decided(refusal(row(1, "event"), row(1, "properties.time"), imported=2))
    assert isinstance(decision, Done)
    assert decision.accepted == 2
    assert decision.refused[0] == refused(1, "event")


@pytest.mark.parametrize(
    ("rows", "imported"),
    [((row(0),), 3), ((row(0),), 1), ((row(0), row(0)), 1), ((row(0), row(1), row(2)), 1), ((), 3), ((), 2)],
)
def test_trap_1_numbers_that_do_not_add_up_leave_the_result_unknown(rows: tuple[object, ...], imported: int) -> None:
    assert unclear(decided(refusal(*rows, imported=imported))) is UnclearAnswer.CONTRADICTION


@pytest.mark.parametrize("index", [-1, 3, 99, True, "0", 0.0, None, 2**63])
def test_a_row_without_a_valid_index_leaves_the_result_unknown(index: object) -> None:
    assert unclear(decided(refusal(row(index), imported=2))) is UnclearAnswer.NOT_UNDERSTOOD


@pytest.mark.parametrize("key", ["insert_id", "$insert_id"])
def test_trap_2_records_are_matched_by_position_and_never_by_insert_id(key: str) -> None:
    rows = [{"index": 2, key: "id-0", "field": "event", "message": "bad"}]
    assert decided(refusal(*rows, imported=2)) == Done(refused=(refused(2, "event"),), accepted=2)


@pytest.mark.parametrize("rows", [["Identity events not allowed"], ["a", "b", "c"], []])
def test_trap_3_a_400_with_texts_imported_nothing_and_is_dissected(rows: list[object]) -> None:
    decision = decided(refusal(*rows))
    assert isinstance(decision, Refuse)
    assert decision.reason is DeliveryRejectReason.REFUSED
    assert "Simplified ID Merge" in decision.advice
    assert "detail" not in decision.advice, "such an answer gives a dead letter none"


def test_a_400_without_a_list_of_records_is_dissected() -> None:
    body = {"code": 400, "error": "request body must be JSON", "status": "Bad Request", "num_records_imported": 0}
    assert isinstance(decided(json_answer(400, body)), Refuse)


def test_texts_beside_rows_are_not_understood() -> None:
    assert unclear(decided(refusal(row(0), "b", imported=2))) is UnclearAnswer.NOT_UNDERSTOOD


@pytest.mark.parametrize("failed", [{}, "a", 3, True])
def test_a_list_of_another_kind_is_not_understood(failed: object) -> None:
    assert unclear(decided(refusal(failed_records=failed))) is UnclearAnswer.NOT_UNDERSTOOD


@pytest.mark.parametrize("imported", [None, "0", True, -1])
def test_a_400_without_a_number_is_not_understood(imported: object) -> None:
    assert unclear(decided(refusal("text", imported=imported))) is UnclearAnswer.NOT_UNDERSTOOD


def test_the_field_alone_is_kept_and_the_message_is_not() -> None:
    decision = decided(refusal(row(0, "properties.distinct_id"), imported=2))
    assert "properties.distinct_id" in repr(decision)
    assert "private" not in repr(decision)


@pytest.mark.parametrize("field", [None, "", 3, ["a"], {"a": 1}])
def test_a_field_that_is_no_text_is_no_detail(field: object) -> None:
    assert decided(refusal(row(0, field), imported=2)) == Done(refused=(refused(0, None),), accepted=2)


def test_a_long_field_is_cut() -> None:
    decision = decided(refusal(row(0, "x" * 5_000), imported=2))
    assert isinstance(decision, Done)
    assert decision.refused[0].detail == "x" * 200


def test_a_413_asks_for_smaller_requests() -> None:
    body = {"code": 413, "error": "request exceeds max limit of 2097152 bytes", "status": "Request Entity Too Large"}
    decision = decided(json_answer(413, body))
    assert isinstance(decision, Refuse)
    assert decision.reason is DeliveryRejectReason.TOO_LARGE


@pytest.mark.parametrize("status", [408, 500, 501, 502, 503, 504, 505, 520, 524])
def test_a_transient_answer_is_tried_again_whatever_its_body(status: int) -> None:
    assert decided(Answered(status=status, body=PROXY)) == Retry(after_seconds=5.0)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5.0), (2, 7.0), (3, 11.0), (6, 63.0), (99, 63.0)])
def test_retries_wait_2_s_doubled_up_to_60_s_and_1_to_5_s_of_jitter(attempt: int, seconds: float) -> None:
    assert decided(Answered(status=503), attempt=attempt) == Retry(after_seconds=seconds)


def test_a_429_pauses_every_lane() -> None:
    assert decided(json_answer(429, {"code": 429})) == Retry(after_seconds=5.0, everywhere=True)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_if_it_is_longer(status: int) -> None:
    assert decided(Answered(status=status, retry_after="40")) == Retry(after_seconds=40.0, everywhere=True)
    assert decided(Answered(status=status, retry_after="1")) == Retry(after_seconds=5.0, everywhere=True)


@pytest.mark.parametrize("failure", [each for each in Failure if each is not Failure.CERTIFICATE])
def test_without_an_answer_the_same_records_are_sent_again(failure: Failure) -> None:
    assert decided(Unanswered(failure=failure)) == Retry(after_seconds=5.0)


def test_a_certificate_that_cannot_be_trusted_holds() -> None:
    decision = decided(Unanswered(failure=Failure.CERTIFICATE, certificate=CertificateFault.EXPIRED))
    assert isinstance(decision, Hold)
    assert decision.reason is HoldReason.CERTIFICATE


def test_a_401_holds_and_names_the_credentials() -> None:
    body = {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"}
    advice = held(decided(json_answer(401, body)))
    assert "PIPELINE_MIXPANEL_PROJECT_TOKEN" in advice
    assert "expiry date" in advice


def test_a_403_of_the_edge_holds_and_is_no_refusal_of_records() -> None:
    advice = held(decided(Answered(status=403, content_type="text/html", body=PAGE)))
    assert "blocks the network" in advice


@pytest.mark.parametrize(
    "body", [b"", PAGE, PROXY, b"Bad Request", b"\xff", b'{"a":"\\ud800"}', b'{"a":NaN}', b"[" * 5_000, b"1" * 5_000]
)
def test_a_400_without_json_holds(body: bytes) -> None:
    assert "Mixpanel answered 400" in held(decided(Answered(status=400, body=body)))


@pytest.mark.parametrize("body", [[], [1], "text", 3, None, True, {}, {"error": "bad"}, {"code": 400}])
def test_any_other_json_of_a_400_leaves_the_result_unknown(body: object) -> None:
    assert unclear(decided(json_answer(400, body))) is UnclearAnswer.NOT_UNDERSTOOD


def test_a_byte_order_mark_and_blanks_around_a_report_do_not_matter() -> None:
    answer = success(3)
    assert decided(replace(answer, body=b"\xef\xbb\xbf\r\n" + answer.body + b"\n")) == Done(accepted=3)


@pytest.mark.parametrize("number", [b"3e0", b"9" * 30, b"-0.0"])
def test_a_number_that_json_cannot_hold_as_an_integer_counts_nothing(number: bytes) -> None:
    answer = Answered(status=200, body=b'{"num_records_imported":' + number + b"}")
    assert unclear(decided(answer)) is UnclearAnswer.NOT_UNDERSTOOD


@pytest.mark.parametrize(
    ("status", "words"),
    [
        *((status, "redirects are not followed") for status in (301, 302, 303, 307, 308)),
        *((status, "not one of Mixpanel's") for status in (100, 204, 304, 400, 402, 406, 414, 416, 422, 600)),
        (404, "check the path"),
        (405, "check the path"),
        (407, "proxy in between requires its own credentials"),
        (415, "PIPELINE_MIXPANEL_GZIP"),
    ],
)
def test_the_advice_of_a_hold_says_what_to_check(status: int, words: str) -> None:
    assert words in held(decided(Answered(status=status)))


@pytest.mark.parametrize(
    "status", [100, 101, 301, 302, 304, 307, 308, 402, 404, 405, 407, 409, 410, 415, 422, 460, 600]
)
def test_any_other_answer_holds_with_advice(status: int) -> None:
    assert held(decided(Answered(status=status))).startswith(f"Mixpanel answered {status}: ")
