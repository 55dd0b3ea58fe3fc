"""The check of a destination: each decision has its outcome and its text."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.decisions import Attempt, Decision, Done, Hold, Refuse, RefusedRecord, Retry
from pipeline.delivery.probe import ProbeOutcome, ProbeReport, send_marked
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.metrics.delivery import Doubt
from tests.fakes.segment import FakeSegment, ScriptedApi, ids_of, options, record
from tests.fakes.virtual_time import run_virtual

LOOK = ("look there", "and there")


@dataclass
class DecidingApi(ScriptedApi):
    """A destination with the decision of the test."""

    decision: Decision
    segment: FakeSegment = field(default_factory=lambda: FakeSegment([]))
    attempts: list[Attempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(options(), self.segment.connect)

    def decide(self, response: Response, attempt: Attempt) -> Decision:
        del response
        self.attempts.append(attempt)
        return self.decision


def probed(api: DecidingApi, response: Response) -> ProbeReport:
    api.segment.script.append(response)
    return run_virtual(send_marked(api, record("marked"), now=7.0, where_to_look=LOOK))


def refused(index: int) -> Done:
    return Done(refused=(RefusedRecord(index=index, reason=DeliveryRejectReason.TOO_LARGE),))


CONTRADICTORY = "answered 200, but the numbers in the answer contradict what was sent"


@pytest.mark.parametrize(
    ("decision", "response", "outcome", "says"),
    [
        (Done(), Answered(status=200), ProbeOutcome.ACCEPTED, "answered 200; look there"),
        (Done(accepted=1), Answered(status=202), ProbeOutcome.ACCEPTED, "answered 202; look there"),
        (refused(0), Answered(status=200), ProbeOutcome.REFUSED, "answered 200, and refused the record: too_large"),
        (
            refused(1),
            Answered(status=200),
            ProbeOutcome.DOUBTFUL,
            CONTRADICTORY,
        ),
        (
            Done(accepted=0),
            Answered(status=200),
            ProbeOutcome.DOUBTFUL,
            CONTRADICTORY,
        ),
        (Done(doubt=Doubt.PAGE), Answered(status=200), ProbeOutcome.DOUBTFUL, "a web page"),
        (Retry(after_seconds=0.0), Answered(status=503), ProbeOutcome.BUSY, "it answered 503: try again later"),
        (
            Retry(after_seconds=0.0),
            Unanswered(failure=Failure.TIMEOUT),
            ProbeOutcome.UNREACHABLE,
            "no answer before the timeout",
        ),
        (Hold(after_seconds=0.0, advice="check it"), Answered(status=401), ProbeOutcome.REFUSED, "check it"),
        (
            Hold(after_seconds=0.0, advice="check it"),
            Unanswered(failure=Failure.CERTIFICATE),
            ProbeOutcome.UNREACHABLE,
            "check it",
        ),
        (
            Refuse(reason=DeliveryRejectReason.REFUSED, advice="check it"),
            Answered(status=400),
            ProbeOutcome.REFUSED,
            "check it",
        ),
    ],
)
def test_a_check_reports_what_the_answer_means(
    decision: Decision, response: Response, outcome: ProbeOutcome, says: str
) -> None:
    report = probed(DecidingApi(decision), response)
    assert (report.outcome, report.ok) == (outcome, outcome is ProbeOutcome.ACCEPTED)
    assert says in report.lines[0]
    assert (report.lines[-1] == LOOK[-1]) is report.ok


@pytest.mark.parametrize("failure", list(Failure))
def test_a_failure_of_the_network_names_what_to_check(failure: Failure) -> None:
    (line,) = probed(DecidingApi(Retry(after_seconds=0.0)), Unanswered(failure=failure)).lines
    assert "check " in line


def test_a_check_sends_one_record_in_one_attempt_and_closes_its_connection() -> None:
    api = DecidingApi(Done())
    probed(api, Answered(status=200))
    assert [ids_of(body) for body in api.segment.bodies] == [("marked",)]
    assert [(attempt.number, attempt.sent_records, attempt.now) for attempt in api.attempts] == [(1, 1, 7.0)]
    assert api.segment.open_clients == 0


def test_a_connection_that_fails_is_closed_all_the_same() -> None:
    api = DecidingApi(Done())
    api.segment.script.append(ZeroDivisionError("a defect"))
    with pytest.raises(ZeroDivisionError):
        run_virtual(send_marked(api, record("marked"), now=7.0, where_to_look=LOOK))
    assert api.segment.open_clients == 0
