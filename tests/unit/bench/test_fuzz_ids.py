from __future__ import annotations

import pytest

from tests.bench.fuzz.ids import emptiness


@pytest.mark.parametrize(
    "text",
    [
        *("nan", "NaN", " null ", "[null]", '"null"', "{nil}", "<nil>", "Optional(nil)", 'Optional("")', "all", "N/A"),
        *("000", "--", "0.0", "00000000-0000-0000-0000-000000000000", "\u200b", "[]", "[object Object]", "-1"),
        *("{{ event.external_id }}", '"{{ user.id }}"', "{% if user %}", "${user.id}"),
    ],
)
def test_what_section_1_names_is_empty(text: str) -> None:
    assert emptiness(text) is True


@pytest.mark.parametrize(
    "text",
    [
        *("null-island", "Nancy", "guest", "1", "{u-77}", 'Optional("u-77")', " u 1 ", "{{ a }} b", "01", "a0", "-2"),
        *("u-1001", "0x1", "none of us", "object Object", "\u7528\u62377"),
    ],
)
def test_everything_else_is_an_id(text: str) -> None:
    assert emptiness(text) is False


@pytest.mark.parametrize("text", ["(null", "`nan`", "{{a}}{{b}}", "+", "[object]"])
def test_what_the_words_leave_open_is_open(text: str) -> None:
    assert emptiness(text) is None
