from __future__ import annotations

import uuid

import pytest

from pipeline.core.destinations.mixpanel.limits import DISALLOWED_IDS, is_insert_id
from pipeline.core.destinations.mixpanel.message_ids import message_id_of
from pipeline.core.message_ids import content_id

NAMESPACE = uuid.UUID("8e0c7a0e-5d0a-5c3b-9b1f-6f1f4c2f7b53")


@pytest.mark.parametrize("event_id", ["0b0e5c9a-5f0e-4a58-9c0b-1f2d3c4b5a69", "1", "x" * 36, "unknown-1"])
def test_an_event_id_that_mixpanel_accepts_is_the_insert_id(event_id: str) -> None:
    assert message_id_of(event_id, b"{}") == event_id


@pytest.mark.parametrize("event_id", ["x" * 37, "a.b", "a b", "é", "x" * 5_000])
def test_another_event_id_is_replaced_by_its_uuid_whatever_the_content(event_id: str) -> None:
    expected = str(uuid.uuid5(NAMESPACE, event_id))
    assert message_id_of(event_id, b"{}") == message_id_of(event_id, b"[]") == expected
    assert is_insert_id(expected)


@pytest.mark.parametrize("event_id", [None, "", " ", "null", "NULL", "[]", *sorted(DISALLOWED_IDS)])
def test_without_an_event_id_the_content_names_the_message(event_id: str | None) -> None:
    assert message_id_of(event_id, b'{"a":1}') == content_id(b'{"a":1}')


@pytest.mark.parametrize(("event_id", "bare"), [(" e-1\n", "e-1"), (" a.b ", "a.b")])
def test_white_space_around_an_event_id_is_removed(event_id: str, bare: str) -> None:
    assert message_id_of(event_id, b"{}") == message_id_of(bare, b"{}")


def test_ids_that_begin_alike_stay_different() -> None:
    assert message_id_of("x" * 255 + "1", b"{}") != message_id_of("x" * 255 + "2", b"{}")
