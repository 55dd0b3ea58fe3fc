"""Decide what an answer of Mixpanel means: accepted, accepted in part, retry, isolate, unknown, or hold.

The body carries the verdict, and every number in it is compared with what was sent. Rows are matched by their index in
the body as it was sent, never by insert id: two events may share one. ``message`` may quote a value of the event, so it
is neither kept nor logged. Source: schemas/SOURCES.md, "Mixpanel import requests".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson

from pipeline.delivery.answers import Answered, Response, Unanswered
from pipeline.delivery.decisions import (
    Attempt,
    Decision,
    Done,
    Hold,
    Refuse,
    RefusedRecord,
    Unknown,
    is_server_error,
    retry_later,
    unanswered,
)
from pipeline.delivery.doubts import without_mark
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.metrics.delivery import UnclearAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRIED_STATUSES: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

_ENDPOINT: Final = "check PIPELINE_MIXPANEL_ENDPOINT and any proxy in between"
_CREDENTIALS: Final = (
    "check PIPELINE_MIXPANEL_PROJECT_TOKEN, or the service account with its secret, role, project and expiry date, and "
    "that PIPELINE_MIXPANEL_REGION is the project's"
)
_ADVICE: Final[Mapping[int, str]] = {
    **dict.fromkeys(
        (301, 302, 303, 307, 308), "redirects are not followed: set PIPELINE_MIXPANEL_ENDPOINT to the new address"
    ),
    401: _CREDENTIALS,
    403: f"{_CREDENTIALS}; Mixpanel's edge also answers 403 when it blocks the network of the sender: {_ENDPOINT}",
    404: "check the path of PIPELINE_MIXPANEL_ENDPOINT",
    405: "check the path of PIPELINE_MIXPANEL_ENDPOINT",
    407: "a proxy in between requires its own credentials",
    413: "lower PIPELINE_MIXPANEL_MAX_BATCH_BYTES: Mixpanel, or a proxy in between, accepts less",
    415: "check PIPELINE_MIXPANEL_ENDPOINT, and PIPELINE_MIXPANEL_GZIP: the server does not accept this content",
}
_OTHER_ADVICE: Final = f"this answer is not one of Mixpanel's: {_ENDPOINT}"
_UNKNOWN_ADVICE: Final[Mapping[UnclearAnswer, str]] = {
    UnclearAnswer.NOT_WHOLE: f"Mixpanel's answers are cut off, so what was accepted is unknown: {_ENDPOINT}",
    UnclearAnswer.NOT_UNDERSTOOD: f"the answers are not Mixpanel's, so what was accepted is unknown: {_ENDPOINT}",
    UnclearAnswer.CONTRADICTION: "the numbers in Mixpanel's answers contradict what was sent, so what was accepted is "
    f"unknown: {_ENDPOINT}",
}
_REFUSED_ADVICE: Final = (
    "Mixpanel refuses the whole request and names no record: check whether the project uses Simplified ID Merge, and "
    "whether a proxy in between changes requests"
)
_MOST_DETAIL_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """The parts of an answer that carry the verdict. ``imported`` is None where it is absent or no number.

    ``rows`` are the failed records, in the order of the answer; None unless it lists nothing but rows with a valid
    index. ``is_empty``: it lists nothing but texts, or nothing.
    """

    imported: int | None
    rows: tuple[RefusedRecord, ...] | None
    is_empty: bool


def decide(response: Response, attempt: Attempt) -> Decision:
    """Return what a response means."""
    if isinstance(response, Unanswered):
        return unanswered(response, attempt, destination="Mixpanel", endpoint_setting="PIPELINE_MIXPANEL_ENDPOINT")
    status = response.status
    if status in RETRIED_STATUSES or is_server_error(status):
        retry = retry_later(response, attempt)
        # The rate limit is the project's, so it concerns every lane.
        return replace(retry, everywhere=True) if status == HTTPStatus.TOO_MANY_REQUESTS else retry
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Refuse(reason=DeliveryRejectReason.TOO_LARGE, advice=f"Mixpanel answered 413: {_ADVICE[413]}")
    if status in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST}:
        return _by_body(response, attempt)
    return _hold(status, attempt)


def _by_body(answer: Answered, attempt: Attempt) -> Decision:
    if not answer.whole:
        return _unknown(UnclearAnswer.NOT_WHOLE)
    report, is_success = _report_of(answer, attempt), answer.status == HTTPStatus.OK
    if report is None:
        return _unknown(UnclearAnswer.NOT_UNDERSTOOD) if is_success else _hold(answer.status, attempt)
    if report.imported is None:
        return _unknown(UnclearAnswer.NOT_UNDERSTOOD)
    return _of_success(report.imported, attempt) if is_success else _of_refusal(report, report.imported, attempt)


def _of_success(imported: int, attempt: Attempt) -> Decision:
    if imported != attempt.sent_records:
        return _unknown(UnclearAnswer.CONTRADICTION)
    return Done(accepted=imported)


def _of_refusal(report: _Report, imported: int, attempt: Attempt) -> Decision:
    if imported == 0 and report.is_empty:
        return Refuse(reason=DeliveryRejectReason.REFUSED, advice=f"Mixpanel answered 400: {_REFUSED_ADVICE}")
    if not report.rows:
        return _unknown(UnclearAnswer.CONTRADICTION if report.is_empty else UnclearAnswer.NOT_UNDERSTOOD)
    if imported + len({row.index for row in report.rows}) != attempt.sent_records:
        return _unknown(UnclearAnswer.CONTRADICTION)
    return Done(refused=report.rows, accepted=imported)


def _hold(status: int, attempt: Attempt) -> Hold:
    advice = f"Mixpanel answered {status}: {_ADVICE.get(status, _OTHER_ADVICE)}"
    return Hold(after_seconds=attempt.slow_seconds, advice=advice)


def _unknown(answer: UnclearAnswer) -> Unknown:
    return Unknown(answer=answer, advice=_UNKNOWN_ADVICE[answer])


def _report_of(answer: Answered, attempt: Attempt) -> _Report | None:
    """Return the report in an answer's body; None if the body is no JSON."""
    try:
        body = orjson.loads(without_mark(answer.body))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict):
        return _Report(imported=None, rows=None, is_empty=False)
    listed = body.get("failed_records")
    found = [] if listed is None else listed
    if not isinstance(found, list):
        return _Report(imported=_count(body), rows=None, is_empty=False)
    rows = tuple(_row(each, attempt) for each in found)
    usable = tuple(row for row in rows if row is not None)
    return _Report(
        imported=_count(body),
        rows=usable if len(usable) == len(rows) else None,
        is_empty=all(isinstance(each, str) for each in found),
    )


def _count(body: dict[str, Any]) -> int | None:
    number = body.get("num_records_imported")
    return number if type(number) is int and number >= 0 else None


def _row(row: object, attempt: Attempt) -> RefusedRecord | None:
    """Return a failed record; None where the row has no index of a record that was sent."""
    if not isinstance(row, dict):
        return None
    index, field = row.get("index"), row.get("field")
    if type(index) is not int or not 0 <= index < attempt.sent_records:
        return None
    detail = field[:_MOST_DETAIL_CHARACTERS] if isinstance(field, str) and field else None
    return RefusedRecord(index=index, reason=DeliveryRejectReason.REFUSED, detail=detail)
