from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from pipeline.core.avro.contracts import DEAD_LETTER
from pipeline.core.kinds import KINDS
from pipeline.kafka import headers
from pipeline.kafka.dead_letters import DeadLetter, Stage
from pipeline.kafka.fetched.messages import NO_TIMESTAMP
from pipeline.kafka.letter_headers import MAX_HEADER_BYTES, letter_headers
from tests.avro_bodies import read_by_fastavro, written
from tests.fakes.stream import FakeMessage
from tests.integration.test_planted_secrets import EMAIL, PHONE, PUSH_TOKEN

OF_A_RECORD = (
    ("format-version", b"1"),
    ("source-partition", b"11"),
    ("source-offset", b"1234567"),
    ("rules-version", b"0123456789ab"),
)
LONGEST_TOPIC = "t" * 249
LARGEST = 2**63 - 1
VARINTS = 6
"""Bytes for the lengths of one header's name and value, and more."""


class Why(StrEnum):
    REFUSED = "refused"
    LONGEST = "unreadable_external_id"


def told(message: FakeMessage, **letter: Any) -> dict[str, bytes]:
    fields = {"stage": Stage("segment-sink"), "destination": "segment", "reason": Why.REFUSED, **letter}
    found = letter_headers(DeadLetter(message=message, **fields), rejected_at=b"1700000000123")
    assert len(found) == len(dict(found)), "a name is used once"
    return dict(found)


def size(found: dict[str, bytes]) -> int:
    return sum(len(name) + len(value) + VARINTS for name, value in found.items())


def test_everything_that_is_known_of_a_rejected_record_is_in_its_letter() -> None:
    message = FakeMessage(topic="segment.records", partition=2, offset=41, timestamp=1_767_225_600_000)
    message = FakeMessage(
        topic="segment.records", partition=2, offset=41, timestamp=1_767_225_600_000, headers=OF_A_RECORD
    )
    assert told(message, kind="message.push.clicked", detail="properties.time") == {
        "reason": b"refused",
        "stage": b"segment-sink",
        "destination": b"segment",
        "kind": b"message.push.clicked",
        "source-topic": b"segment.records",
        "source-partition": b"2",
        "source-offset": b"41",
        "source-timestamp": b"1767225600000",
        "rejected-at": b"1700000000123",
        "rules-version": b"none",
        "format-version": b"2",
        "detail": b"properties.time",
        "source-header.format-version": b"1",
        "source-header.source-partition": b"11",
        "source-header.source-offset": b"1234567",
        "source-header.rules-version": b"0123456789ab",
    }


def test_what_is_not_known_has_no_header() -> None:
    found = told(FakeMessage(offset=0, timestamp=NO_TIMESTAMP))
    assert found.keys().isdisjoint({headers.KIND, headers.SOURCE_TIMESTAMP, headers.DETAIL})
    assert not [name for name in found if name.startswith(headers.SOURCE_HEADER_PREFIX)]


@pytest.mark.parametrize("detail", ["", " ", "\n\t", "\0\x1b"])
def test_words_that_are_blank_have_no_header(detail: str) -> None:
    assert headers.DETAIL not in told(FakeMessage(offset=0), detail=detail)


def test_words_are_stored_without_what_identifies_a_person() -> None:
    detail = told(FakeMessage(offset=0), detail=f"{EMAIL} or {PHONE} or {PUSH_TOKEN} is unknown")[headers.DETAIL]
    assert detail == b"[removed] or [removed] or [removed] is unknown"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("traceparent", b"00-0-0-01"),
        ("reason", b"not_json"),
        ("stage", EMAIL.encode()),
        ("source-topic", b"onesignal.events"),
        ("Source-Offset", b"7"),
        ("format-version", EMAIL.encode()),
        ("format-version", b"123456"),
        ("source-partition", b"-1"),
        ("source-offset", PHONE.encode()),
        ("source-offset", b"7\n"),
        ("source-offset", b""),
        ("source-offset", b"1" * 20),
        ("rules-version", b"0123456789AB"),
        ("rules-version", b"0" * 13),
        ("rules-version", None),
    ],
)
def test_a_foreign_header_is_not_repeated(name: str, value: Any) -> None:
    found = told(FakeMessage(offset=0, headers=((name, value),)))
    assert not [each for each in found if each.startswith(headers.SOURCE_HEADER_PREFIX)]


def test_of_several_headers_of_one_name_the_first_that_a_processor_can_have_written_is_repeated() -> None:
    message = FakeMessage(offset=0, headers=(("source-offset", b"x"), ("source-offset", b"7"), ("source-offset", b"8")))
    assert told(message)["source-header.source-offset"] == b"7"


def test_the_largest_headers_are_within_the_bound_that_topics_are_checked_with() -> None:
    message = FakeMessage(
        topic=LONGEST_TOPIC,
        partition=2**31 - 1,
        offset=LARGEST,
        timestamp=-LARGEST,
        headers=(
            ("format-version", b"9" * 5),
            ("source-partition", b"9" * 10),
            ("source-offset", b"9" * 19),
            ("rules-version", b"f" * 12),
        ),
    )
    found = told(
        message,
        stage=Stage("mixpanel-sink"),
        destination="mixpanel",
        reason=Why.LONGEST,
        kind=max(KINDS, key=len),
        rules_version=b"f" * 12,
        detail="ä" * 500,
    )
    assert len(found["detail"]) == 200
    assert len(found) == 16
    assert size(found) <= MAX_HEADER_BYTES


def test_the_headers_of_a_letter_are_fields_of_the_contract() -> None:
    found = told(FakeMessage(offset=41, headers=OF_A_RECORD), kind="message.push.clicked", detail="properties.time")
    prefix = headers.SOURCE_HEADER_PREFIX
    texts = {name: value.decode() for name, value in found.items()}
    numbers = {headers.SOURCE_PARTITION, headers.SOURCE_OFFSET, headers.SOURCE_TIMESTAMP, headers.REJECTED_AT}
    datum: dict[str, Any] = {
        name.replace("-", "_"): int(text) if name in numbers else text
        for name, text in texts.items()
        if not name.startswith(prefix)
    }
    repeated = {name.removeprefix(prefix): text for name, text in texts.items() if name.startswith(prefix)}
    stored = written({**datum, "source_headers": repeated, "key": b"u-1", "value": b"{"}, DEAD_LETTER.schema)
    read = read_by_fastavro(stored, DEAD_LETTER.schema, DEAD_LETTER.schema)
    assert (read["destination"], read["kind"], read["detail"]) == ("segment", "message.push.clicked", "properties.time")
    assert read["source_headers"] == {name: value.decode() for name, value in OF_A_RECORD}
