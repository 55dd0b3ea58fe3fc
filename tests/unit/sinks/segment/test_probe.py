from __future__ import annotations

import json
import uuid
from enum import StrEnum

import pytest

from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.probe import ProbeOutcome, ProbeReport
from pipeline.kafka.certificates import CertificateFault
from pipeline.settings.choices import SegmentRegion
from pipeline.sinks.segment.options import ENDPOINTS
from pipeline.sinks.segment.probe import EVENT_NAME
from tests.fakes.segment import API, OK, WRITE_KEY, FakeSegment, ScriptedApi, options
from tests.fakes.virtual_time import run_virtual

ID = uuid.UUID(int=7)


def probed(response: Response, segment: FakeSegment, endpoint: str = ENDPOINTS[SegmentRegion.EU]) -> ProbeReport:
    segment.script.append(response)
    api = ScriptedApi(options(endpoint=endpoint), segment.connect)
    report = run_virtual(api.probe(wall_clock=lambda: 1_767_225_600.0, new_id=lambda: ID))
    assert segment.open_clients == 0
    return report


@pytest.mark.parametrize(
    ("response", "outcome", "says"),
    [
        (OK, ProbeOutcome.ACCEPTED, "Debugger"),
        (Answered(status=503), ProbeOutcome.BUSY, "answered 503"),
        (Answered(status=429, retry_after="5"), ProbeOutcome.BUSY, "answered 429"),
        (Answered(status=400), ProbeOutcome.REFUSED, "PIPELINE_SEGMENT_WRITE_KEY"),
        (Answered(status=404), ProbeOutcome.REFUSED, "PIPELINE_SEGMENT_ENDPOINT"),
        (Answered(status=200, content_type="text/html"), ProbeOutcome.DOUBTFUL, "a web page"),
        (Answered(status=200, body=b'{"success":false}'), ProbeOutcome.DOUBTFUL, "PIPELINE_SEGMENT_ENDPOINT"),
        *((Unanswered(failure=failure), ProbeOutcome.UNREACHABLE, "check") for failure in Failure),
        (
            Unanswered(failure=Failure.CERTIFICATE, certificate=CertificateFault.EXPIRED),
            ProbeOutcome.UNREACHABLE,
            "check the clock of this machine",
        ),
    ],
)
def test_a_check_says_how_it_ended_and_what_to_do(response: Response, outcome: ProbeOutcome, says: str) -> None:
    report = probed(response, FakeSegment([]))
    assert report.outcome is outcome
    assert report.ok is (outcome is ProbeOutcome.ACCEPTED)
    assert says in "\n".join(report.lines)
    assert WRITE_KEY not in "\n".join(report.lines)


def test_a_check_sends_one_marked_event_that_segment_can_use() -> None:
    segment = FakeSegment([])
    report = probed(OK, segment)
    (event,) = json.loads(segment.bodies[0])["batch"]
    assert not isinstance(API.examine(json.dumps(event).encode()), StrEnum)
    assert (event["event"], event["messageId"]) == (EVENT_NAME, str(ID))
    assert event["integrations"] == {"All": False}
    assert any(str(ID) in line for line in report.lines)


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        (ENDPOINTS[SegmentRegion.US], "api.segment.io (region us)"),
        (ENDPOINTS[SegmentRegion.EU], "events.eu1.segmentapis.com (region eu)"),
        ("https://proxy.example/segment", "proxy.example (a custom endpoint)"),
    ],
)
def test_a_check_names_the_region(endpoint: str, says: str) -> None:
    assert says in probed(OK, FakeSegment([]), endpoint).lines[0]
