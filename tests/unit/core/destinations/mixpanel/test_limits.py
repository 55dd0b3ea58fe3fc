from __future__ import annotations

import pytest

from pipeline.core.destinations.mixpanel.limits import DISALLOWED_IDS, EARLIEST_MS, is_insert_id
from pipeline.core.ids import EMPTY_IDS
from pipeline.core.timestamps import iso_text


@pytest.mark.parametrize("text", ["0b0e5c9a-5f0e-4a58-9c0b-1f2d3c4b5a69", "1", "A-b", "x" * 36, "--"])
def test_letters_digits_and_hyphens_are_an_insert_id(text: str) -> None:
    assert is_insert_id(text)


@pytest.mark.parametrize("text", ["", " ", "x" * 37, "a.b", "a_b", "a b", "é", "٣", "abc\n", "\0"])
def test_anything_else_is_none(text: str) -> None:
    assert not is_insert_id(text)


@pytest.mark.parametrize("text", sorted(DISALLOWED_IDS))
def test_a_disallowed_id_is_no_insert_id_in_any_letter_case(text: str) -> None:
    assert not is_insert_id(text)
    assert not is_insert_id(text.upper())


@pytest.mark.parametrize("text", sorted(DISALLOWED_IDS))
@pytest.mark.parametrize("spelled", [str, str.upper, str.title, lambda text: f" {text}\n"])
def test_every_disallowed_id_is_a_placeholder_to_the_core(text: str, spelled: object) -> None:
    assert callable(spelled)
    assert EMPTY_IDS.reason(spelled(text)) is not None


def test_the_earliest_time_is_the_first_of_1971() -> None:
    assert iso_text(EARLIEST_MS) == "1971-01-01T00:00:00.000Z"
