from __future__ import annotations

import orjson
import pytest

from pipeline.core.shortening import shortened


@pytest.mark.parametrize(
    ("text", "excess", "expected"),
    [
        ("abcdefghij", 1, "abcdef…"),
        ("abcdefghij", 6, "a…"),
        ("abcdefghij", 7, None),
        ("abcdefghij", 100, None),
        ("ab cdefghij", 5, "ab…"),
        ("éééééééééé", 5, "éééééé…"),
        ("\n\n\n\n\n\n\n\nx", 3, None),
        ('a"""""""""', 4, 'a"""""…'),
    ],
)
def test_a_text_is_cut_to_lose_its_excess(text: str, excess: int, expected: str | None) -> None:
    found = shortened(text, excess)
    assert found == expected
    if found is not None:
        assert len(orjson.dumps(found)) <= len(orjson.dumps(text)) - excess
