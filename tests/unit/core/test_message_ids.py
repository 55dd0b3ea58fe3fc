from __future__ import annotations

import uuid

import pytest

from pipeline.core.message_ids import content_id, message_id_of

NAMESPACE = uuid.UUID("2d1a2f6e-6a0e-5b0c-9a52-0c5f3d3b9e77")


@pytest.mark.parametrize("event_id", ["0b0e5c9a-5f0e-4a58-9c0b-1f2d3c4b5a69", "1", "x" * 100, "a/b:c+d==", "unknown-1"])
def test_a_fit_event_id_is_the_message_id(event_id: str) -> None:
    assert message_id_of(event_id, b"{}", 100) == event_id


@pytest.mark.parametrize(
    "event_id",
    [
        None,
        "",
        " ",
        "x" * 101,
        "a b",
        "a\nb",
        "ü",
        "null",
        "NULL",
        "undefined",
        "00000000-0000-0000-0000-000000000000",
    ],
)
def test_without_a_fit_event_id_the_content_names_the_message(event_id: str | None) -> None:
    assert message_id_of(event_id, b'{"a":1}', 100) == str(uuid.uuid5(NAMESPACE, '{"a":1}'))


def test_other_content_has_another_id() -> None:
    assert content_id(b"\xff") != content_id(b"\xfe")


def test_an_id_longer_than_the_destination_accepts_is_replaced_by_that_of_the_content() -> None:
    assert message_id_of("x" * 36, b"{}", 36) == "x" * 36
    assert message_id_of("x" * 37, b"{}", 36) == content_id(b"{}")
