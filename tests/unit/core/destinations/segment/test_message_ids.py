from __future__ import annotations

import pytest

from pipeline.core.destinations.segment.message_ids import message_id_of
from pipeline.core.message_ids import content_id


@pytest.mark.parametrize("event_id", ["0b0e5c9a-5f0e-4a58-9c0b-1f2d3c4b5a69", "1", "x" * 100, "a/b:c+d==", "unknown-1"])
def test_a_fit_event_id_is_the_message_id(event_id: str) -> None:
    assert message_id_of(event_id, b"{}") == event_id


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
    assert message_id_of(event_id, b'{"a":1}') == content_id(b'{"a":1}')


def test_white_space_around_an_event_id_is_removed() -> None:
    assert message_id_of(" e-1\n", b"{}") == "e-1"
