from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.mixpanel import API, record


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.floats(0, 2e9))
def test_a_body_is_an_array_of_the_records_whose_size_is_known_before(numbers: list[int], sent_at: float) -> None:
    records = [record(f"id-{number}", a="x" * number) for number in numbers]
    body = API.build_body(records, sent_at=sent_at)
    assert orjson.loads(body) == [orjson.loads(each) for each in records]
    assert len(body) == API.limits.body_bytes(records=len(records), record_bytes=sum(map(len, records)))


def test_a_retry_has_the_same_bytes() -> None:
    records = [record("a"), record("b")]
    assert API.build_body(records, sent_at=1.0) == API.build_body(records, sent_at=2.0)
    assert records == [record("a"), record("b")]
