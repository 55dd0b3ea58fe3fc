from __future__ import annotations

import json
import uuid
from dataclasses import replace
from enum import StrEnum

import pytest

from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.probe import ProbeOutcome, ProbeReport
from pipeline.sinks.mixpanel.probe import DISTINCT_ID, EVENT_NAME
from tests.fakes.mixpanel import API, TOKEN, ScriptedMixpanel, refusal, row, success
from tests.fakes.segment import FakeSegment
from tests.fakes.virtual_time import run_virtual

ID = uuid.UUID(int=7)


def probed(response: Response, script: FakeSegment) -> ProbeReport:
    script.script.append(response)
    api = ScriptedMixpanel(script.connect)
    report = run_virtual(api.probe(wall_clock=lambda: 1_767_225_600.0, new_id=lambda: ID))
    assert script.open_clients == 0
    return report


@pytest.mark.parametrize(
    ("response", "outcome", "says"),
    [
        (success(1), ProbeOutcome.ACCEPTED, f"under Events for '{EVENT_NAME}'"),
        (success(0), ProbeOutcome.DOUBTFUL, "the numbers in the answer contradict what was sent"),
        (success(2), ProbeOutcome.DOUBTFUL, "the numbers in the answer contradict what was sent"),
        (replace(success(1), whole=False), ProbeOutcome.DOUBTFUL, "the answer was cut off"),
        (Answered(status=503), ProbeOutcome.BUSY, "answered 503"),
        (Answered(status=429, retry_after="5"), ProbeOutcome.BUSY, "answered 429"),
        (Answered(status=401), ProbeOutcome.REFUSED, "PIPELINE_MIXPANEL_PROJECT_TOKEN"),
        (Answered(status=403), ProbeOutcome.REFUSED, "blocks the network"),
        (Answered(status=404), ProbeOutcome.REFUSED, "PIPELINE_MIXPANEL_ENDPOINT"),
        (refusal("identity events are not allowed"), ProbeOutcome.REFUSED, "Simplified"),
        (refusal(row(0)), ProbeOutcome.REFUSED, "refused the record: refused, properties.time"),
        (Unanswered(failure=Failure.NAME_NOT_RESOLVED), ProbeOutcome.UNREACHABLE, "PIPELINE_MIXPANEL_ENDPOINT"),
    ],
)
def test_a_check_says_how_it_ended_and_what_to_do(response: Response, outcome: ProbeOutcome, says: str) -> None:
    report = probed(response, FakeSegment([]))
    text = "\n".join(report.lines)
    assert report.outcome is outcome
    assert says in text
    assert TOKEN not in text
    assert "private" not in text


def test_a_check_sends_one_marked_event_that_stands_for_no_user() -> None:
    script = FakeSegment([])
    report = probed(success(1), script)
    (event,) = json.loads(script.bodies[0])
    assert not isinstance(API.examine(json.dumps(event).encode()), StrEnum)
    assert (event["event"], event["properties"]["$insert_id"]) == (EVENT_NAME, str(ID))
    assert event["properties"]["distinct_id"] == DISTINCT_ID
    assert event["properties"]["ip"] == 0
    assert str(ID) in "\n".join(report.lines)
    assert "region us" in report.lines[0]
