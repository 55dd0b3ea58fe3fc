from __future__ import annotations

import json

import pytest

from pipeline.sinks.segment.body import ENVELOPE_BYTES, build_body, timestamp
from tests.fakes.segment import record


@pytest.mark.parametrize(
    "records", [[record("a")], [record("a"), record("b")], [record("a"), record("b"), record("c")]]
)
def test_a_body_is_the_envelope_around_the_records_own_bytes(records: list[bytes]) -> None:
    body = build_body(records, sent_at=1_767_225_600.12)
    assert body == b'{"sentAt":"2026-01-01T00:00:00.120Z","batch":[' + b",".join(records) + b"]}"
    assert len(body) == ENVELOPE_BYTES + len(b",".join(records))
    assert json.loads(body)["batch"] == [json.loads(each) for each in records]


def test_building_a_body_leaves_the_records_alone() -> None:
    records = [record("a"), record("b")]
    build_body(records, sent_at=0.0)
    assert records == [record("a"), record("b")]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_767_225_600.9999, "2026-01-01T00:00:00.999Z"),
        (1.5, "1970-01-01T00:00:01.500Z"),
    ],
)
def test_a_timestamp_has_always_the_same_length(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text
