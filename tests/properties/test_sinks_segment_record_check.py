from __future__ import annotations

import json
from enum import StrEnum

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.sinks.segment.record_check import _diagnose, check_record
from tests.fakes.segment import record

LIMIT = 32_768
TEXT = st.text(max_size=110)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
CALLS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.just("track") | ANYTHING,
        "event": TEXT | ANYTHING,
        "messageId": TEXT | ANYTHING,
        "userId": TEXT | ANYTHING,
        "anonymousId": TEXT | ANYTHING,
        "properties": ANYTHING,
    },
)


@given(st.binary(max_size=200))
@example(b"{}")
def test_any_bytes_are_checked_without_an_exception(value: bytes) -> None:
    assert isinstance(check_record(value, max_bytes=LIMIT), StrEnum)


@given(CALLS)
@example({"type": "track", "event": "\x85", "messageId": "\u2003", "userId": "\x1f"})
def test_the_short_way_says_what_the_definition_says(call: dict[str, object]) -> None:
    value = json.dumps(call, ensure_ascii=False).encode()
    seen = check_record(value, max_bytes=LIMIT)
    assert (seen if isinstance(seen, StrEnum) else None) == _diagnose(value)


@given(st.integers(0, 200), st.binary(max_size=3))
def test_a_record_that_passes_is_json_that_every_parser_reads(position: int, noise: bytes) -> None:
    good = record(padding="grüße")
    mutated = good[:position] + noise + good[position + len(noise) :]
    if not isinstance(check_record(mutated, max_bytes=LIMIT), StrEnum):
        call = json.loads(mutated)
        assert call["type"] == "track"
        assert call["event"].strip()
        assert 0 < len(call["messageId"]) <= 100
