from __future__ import annotations

from dataclasses import replace

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.answers import Answered
from pipeline.delivery.decisions import Attempt, Done, Hold, Refuse, Retry, RetryPolicy, Unknown, settled
from pipeline.sinks.mixpanel.answers import decide

POLICY = RetryPolicy(base_seconds=2.0, max_seconds=60.0, retry_after_cap_seconds=300.0, added_jitter_seconds=(1.0, 5.0))
ATTEMPT = Attempt(number=1, sent_records=5, jitter=0.5, now=1_767_225_600.0, policy=POLICY)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 7)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries({}, optional={"index": VALUES, "insert_id": VALUES, "field": VALUES, "message": VALUES})
REPORTS = st.fixed_dictionaries(
    {},
    optional={
        "num_records_imported": st.integers(-1, 6) | VALUES,
        "failed_records": st.lists(ROWS | st.text(max_size=3) | VALUES, max_size=6) | VALUES,
        "error": VALUES,
    },
)
BODIES = st.binary(max_size=30) | REPORTS.map(orjson.dumps) | VALUES.map(orjson.dumps)
ANSWERS = st.builds(
    Answered,
    status=st.sampled_from([200, 201, 301, 400, 401, 403, 408, 413, 429, 500, 503, 999]) | st.integers(100, 999),
    body=BODIES,
    whole=st.booleans(),
    retry_after=st.none() | st.text(max_size=5),
)


@given(ANSWERS)
def test_whatever_is_answered_there_is_a_decision_and_the_records_add_up(answer: Answered) -> None:
    decision = decide(answer, ATTEMPT)
    match decision:
        case Done(refused=refused, accepted=accepted):
            assert answer.whole
            assert accepted == ATTEMPT.sent_records - len({record.index for record in refused})
            assert settled(decision, ATTEMPT) is decision
            assert (answer.status == 200) is not bool(refused)
        case Refuse():
            assert answer.status in {400, 413}
        case Retry(after_seconds=seconds):
            assert 3.0 <= seconds <= 300.0
            assert answer.status in {408, 429} or answer.status >= 500
        case Hold():
            assert answer.status not in {200, 408, 413, 429}
        case Unknown():
            assert answer.status in {200, 400}


@given(ANSWERS, st.integers(0, 5))
def test_a_third_unclear_answer_in_a_row_holds_and_no_earlier_one_does(answer: Answered, before: int) -> None:
    attempt = replace(ATTEMPT, unclear_before=before)
    decision = decide(answer, attempt)
    carried_out = settled(decision, attempt)
    if isinstance(decision, Unknown):
        assert isinstance(carried_out, Hold if before >= 2 else Retry)
    else:
        assert carried_out is decision


@given(st.integers(1, 60), st.data())
def test_a_partial_answer_names_exactly_the_listed_records(sent: int, data: st.DataObject) -> None:
    indexes = data.draw(st.lists(st.integers(0, sent - 1), min_size=1, max_size=2 * sent))
    rows = [{"index": index, "field": "event", "message": "secret"} for index in indexes]
    body = {"num_records_imported": sent - len(set(indexes)), "failed_records": rows}
    decision = decide(Answered(status=400, body=orjson.dumps(body)), replace(ATTEMPT, sent_records=sent))
    assert isinstance(decision, Done)
    assert [record.index for record in decision.refused] == indexes
    assert "secret" not in repr(decision)
