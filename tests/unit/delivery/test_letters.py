from __future__ import annotations

import orjson
import pytest

from pipeline.delivery.letters import letter_for
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.dead_letters import NO_RULES, DeadLetter
from tests.fakes.destinations import SELECTED
from tests.fakes.stream import FakeMessage

MESSAGE = FakeMessage(offset=7)


def kind_of(record: bytes | None) -> str | None:
    return letter_for(SELECTED, MESSAGE, DeliveryRejectReason.REFUSED, record=record).kind


def test_a_letter_names_the_destination_the_kind_and_its_words() -> None:
    record = orjson.dumps({"event": "x", "properties": {"a": 1, "event_kind": "message.push.clicked"}})
    found = letter_for(SELECTED, MESSAGE, DeliveryRejectReason.REFUSED, record=record, detail="properties.time")
    assert found == DeadLetter(
        stage=SELECTED.stage,
        destination=SELECTED.name,
        reason=DeliveryRejectReason.REFUSED,
        message=MESSAGE,
        kind="message.push.clicked",
        rules_version=NO_RULES,
        detail="properties.time",
    )


@pytest.mark.parametrize(
    "record",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"properties":null}',
        b'{"properties":{}}',
        b'{"properties":{"event_kind":7}}',
        b'{"properties":{"event_kind":"jo@mail.example"}}',
        b'{"properties":{"event_kind":"message.pigeon.sent"}}',
        b'{"properties":{"event_kind":"\xff"}}',
        b"[" * 5_000,
        b'{"properties":' + b'{"a":' * 5_000,
    ],
)
def test_a_record_without_a_known_kind_has_none(record: bytes | None) -> None:
    assert kind_of(record) is None
