"""Integers that no parser accepts, and bodies that are no events whatever their numbers are."""

from __future__ import annotations

import pytest

from pipeline.core.events import Event, decode
from pipeline.core.outcomes import Deliver, Reject, RejectReason
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.processing import STATELESS, process
from tests.builders import SEGMENT, RawMessage

ENDLESS = b"7" * 400


@pytest.mark.parametrize(
    "body",
    [
        b'{"event_kind":"message.push.sent","external_id":%b,"subscription_id":"s-1"}' % ENDLESS,
        b'{"event":{"kind":"message.push.sent","external_id":-%b}}' % ENDLESS,
        b'{"event":{"kind":"message.push.sent"},"external_user_id":%b}' % ENDLESS,
    ],
)
def test_an_external_id_that_no_parser_takes_is_unreadable(body: bytes) -> None:
    found = process(RawMessage(value=body), Policy(records=SEGMENT), STATELESS)
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.UNREADABLE_EXTERNAL_ID
    dropped = process(
        RawMessage(value=body), Policy(records=SEGMENT, rules=preset_rules(Preset.ENGAGEMENT_ONLY)), STATELESS
    )
    assert not isinstance(dropped, Reject)


def test_beside_one_that_no_parser_takes_another_external_id_is_used() -> None:
    body = b'{"event_kind":"message.push.sent","external_id":%b,"user_external_id":"u-1"}' % ENDLESS
    found = process(RawMessage(value=body), Policy(records=SEGMENT), STATELESS)
    assert isinstance(found, Deliver)
    assert found.user_key == b"u-1"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"event_kind":"k","message_name":%b,"external_id":"u"}' % ENDLESS, RejectReason.NOT_JSON),
        (b'{"event_kind":"k","message_name":1e400,"external_id":"u"}', RejectReason.NOT_JSON),
        (b'{"event_kind":"k","event_timestamp":1e400}', RejectReason.NOT_JSON),
        (b'{"event_kind":"k","external_id":1.5,"n":1%b' % ENDLESS, RejectReason.NOT_JSON),
        (b'{"external_id":%b}' % ENDLESS, RejectReason.NOT_JSON),
        (b'{"external_id":123456789012345678901}', RejectReason.NOT_AN_EVENT),
    ],
)
def test_other_bodies_with_such_numbers_are_refused_as_before(body: bytes, reason: RejectReason) -> None:
    assert decode(body) is reason


def test_bytes_that_are_not_text_in_a_second_name_leave_the_event_as_it_is() -> None:
    found = decode(b'{"event":{"kind":"k"},"user":{"subscription.id":"\xff"}}')
    assert isinstance(found, Event)
    assert found.event.subscription_id is None
