"""Hostile bodies are decided by the pure code as the collection expects; `make hostile` tests real workers."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.core.outcomes import Deliver, Drop, Reject
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.delivery.examination import examine
from tests.builders import SEGMENT, RawMessage
from tests.fakes.segment import API, FakeMessage
from tests.hostile.batches import Batch, encoded
from tests.hostile.collection import hostile_messages
from tests.hostile.messages import Expected, HostileMessage, Outcome, Topic
from tests.hostile.raw_bodies import RAW_BODIES
from tests.hostile.record_bodies import RECORD_BODIES

LIGHT = hostile_messages(short=True)
BODIES = [each for each in LIGHT if each.sort in {*RAW_BODIES, *RECORD_BODIES}]


def test_there_are_hundreds_and_each_has_a_name_of_its_own() -> None:
    every = hostile_messages()
    assert len(every) > 300
    assert Counter((each.sort, each.name) for each in every).most_common(1)[0][1] == 1
    assert {each.expected.outcome for each in every} == set(Outcome)
    assert len(every) > len(LIGHT)


@pytest.mark.parametrize("message", BODIES, ids=lambda each: f"{each.sort}: {each.name}")
def test_a_body_is_decided_as_the_collection_says(message: HostileMessage) -> None:
    (record,) = message.batch().records
    decided = of_raw(record.value) if message.topic is Topic.RAW else of_record(record.value)
    assert decided.outcome is message.expected.outcome
    assert set(decided.reasons) <= set(message.expected.reasons)


def of_raw(value: bytes | None) -> Expected:
    match process(RawMessage(value=value), Policy(records=SEGMENT), STATELESS):
        case Deliver():
            return Expected(outcome=Outcome.DELIVERED)
        case Drop():
            return Expected(outcome=Outcome.DROPPED)
        case Reject(reason=reason):
            return Expected(outcome=Outcome.LETTER, reasons=(reason.value,))


def of_record(value: bytes | None) -> Expected:
    seen = examine([FakeMessage(value=value)], api=API)
    reasons = tuple(each.reason.value for each in seen.letters)
    return Expected(outcome=Outcome.LETTER if reasons else Outcome.DELIVERED, reasons=reasons)


@pytest.mark.parametrize(
    "message", [each for each in LIGHT if each.stored is not None], ids=lambda each: f"{each.sort}: {each.name}"
)
def test_a_batch_that_is_changed_where_it_is_stored_keeps_its_length(message: HostileMessage) -> None:
    before = encoded(message.batch())
    assert message.stored is not None
    after = message.stored(before)
    assert after != before
    assert len(after) == len(before)


def test_an_expectation_is_shown_as_text() -> None:
    assert str(Expected(outcome=Outcome.LETTER, reasons=("a", "b"))) == "dead letter (a or b)"
    assert str(Expected(outcome=Outcome.UNSEEN)) == "not seen"


def test_batches_are_made_when_they_are_asked_for() -> None:
    assert isinstance(LIGHT[0].batch(), Batch)
