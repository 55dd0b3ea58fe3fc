from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.decisions import (
    Attempt,
    Done,
    Hold,
    Refuse,
    Retry,
    RetryPolicy,
    Unknown,
    retry_after_seconds,
)
from pipeline.sinks.segment.answers import decide

POLICY = RetryPolicy(base_seconds=0.5, max_seconds=60.0, retry_after_cap_seconds=300.0)
HEADERS = (
    st.none() | st.text() | st.integers().map(str) | st.datetimes().map(lambda at: at.strftime("%a, %d %b %Y %X GMT"))
)
RESPONSES: st.SearchStrategy[Response] = st.one_of(
    st.builds(lambda failure: Unanswered(failure=failure), st.sampled_from(Failure)),
    st.builds(
        lambda status, header, body: Answered(status=status, retry_after=header, body=body),
        st.integers(100, 999),
        HEADERS,
        st.binary(max_size=50),
    ),
)
JITTER = st.floats(0, 1, exclude_max=True)


@given(RESPONSES, st.integers(1, 10**6), JITTER, st.floats(0, 4e9))
def test_every_answer_has_a_decision_and_every_wait_an_end(
    response: Response, attempt: int, jitter: float, now: float
) -> None:
    match decide(response, Attempt(number=attempt, sent_records=1, jitter=jitter, now=now, policy=POLICY)):
        case Done():
            assert isinstance(response, Answered)
            assert 200 <= response.status < 300
        case Retry(after_seconds=seconds, everywhere=everywhere):
            assert 0 <= seconds <= (300 if everywhere else 60)
        case Hold(after_seconds=seconds, advice=advice):
            assert 30 <= seconds <= 60
            assert isinstance(response, Answered)
            assert advice.startswith(f"Segment answered {response.status}: ")
        case Refuse(advice=advice):
            assert isinstance(response, Answered)
            assert response.status in {400, 413}
            assert b"write key" not in response.body.lower()
            assert advice.startswith(f"Segment answered {response.status}: ")
        case Unknown():
            raise AssertionError("Segment's status carries the verdict")


@given(st.text() | st.from_regex(r"[A-Za-z]{0,9},? ?-?\d{0,12}[ -][A-Za-z]{3}[ -]\d{0,9} [\d:]{0,9} ?[A-Z+\-\d]{0,7}"))
def test_any_header_is_a_time_to_come_or_nothing(header: str) -> None:
    seconds = retry_after_seconds(header, now=1_767_225_600.0)
    assert seconds is None or seconds >= 0
