"""The second destination of the tests keeps the contract, with answers whose body carries the verdict."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.answers import Answered
from pipeline.delivery.decisions import Decision, Done, Hold, Refuse, RefusedRecord, Unknown
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.metrics.delivery import Doubt, UnclearAnswer
from tests.fakes.array_api import ArrayApi, ArrayRejectReason, answer
from tests.fakes.attempts import ATTEMPT

ARRAY = ArrayApi()
NO_ID = (RefusedRecord(index=1, reason=ArrayRejectReason.NO_ID),)
PAGE = b"<html>sign in</html>"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["accepted", "failed", "index", "why", "messageId", "at"]), inner, max_size=4)
    ),
    max_leaves=8,
)
CUT = Unknown(answer=UnclearAnswer.NOT_WHOLE, advice="Array's answer was cut")


def decided(status: int, body: bytes, *, whole: bool = True) -> Decision:
    return ARRAY.decide(Answered(status=status, body=body, whole=whole), ATTEMPT)


@pytest.mark.parametrize(
    ("body", "decision"),
    [
        (answer((1, "no_id"), accepted=2).body, Done(refused=NO_ID, accepted=2)),
        (b'{"accepted":3}', Done(accepted=3)),
        (b"", Done()),
        (PAGE, Done(doubt=Doubt.PAGE)),
    ],
)
def test_a_whole_answer_is_a_verdict_on_each_record(body: bytes, decision: Decision) -> None:
    assert decided(200, body) == decision


@pytest.mark.parametrize("status", [200, 202, 400])
def test_a_body_that_is_not_whole_makes_the_answer_unknown(status: int) -> None:
    body = answer((1, "no_id"), accepted=2).body
    assert {repr(decided(status, body[:end], whole=False)) for end in range(len(body) + 1)} == {repr(CUT)}


@pytest.mark.parametrize("body", [b'{"accepted":"3"}', b'{"failed":[{"index":"0"}]}', b'{"failed":{}}', b"[]"])
def test_a_verdict_that_cannot_be_read_holds(body: bytes) -> None:
    assert {type(decided(status, body)) for status in (200, 400)} == {Hold}


def test_a_400_without_a_verdict_is_about_every_record() -> None:
    decision = decided(400, b"malformed")
    assert isinstance(decision, Refuse)
    assert decision.reason is DeliveryRejectReason.REFUSED


@given(
    status=st.sampled_from([200, 202, 400, 413, 429, 500]),
    body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()),
    whole=st.booleans(),
)
def test_any_answer_has_a_decision_and_any_record_a_result(status: int, body: bytes, *, whole: bool) -> None:
    decision = decided(status, body, whole=whole)
    assert whole or not isinstance(decision, Done)
    seen = ARRAY.examine(body)
    assert isinstance(seen, float) or seen in ARRAY.reject_reasons
