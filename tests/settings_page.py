"""The generated part of `docs/operate/settings.md`: `make docs` writes it, a test compares it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pipeline.settings.presentation import reference_table

FILE: Final = Path(__file__).parent.parent / "docs" / "operate" / "settings.md"
_GENERATED: Final = re.compile(r"(<!-- settings: [^\n]* -->\n).*?(<!-- /settings -->)", re.DOTALL)


def with_settings(text: str) -> str:
    """Return the page with the present settings between its two marks.

    Raises:
        ValueError: the page lacks the marks.
    """
    marked = _GENERATED.search(text)
    if marked is None:
        raise ValueError(f"{FILE.name} has no marks for the settings")
    return f"{text[: marked.end(1)]}\n{reference_table()}\n{text[marked.start(2) :]}"


if __name__ == "__main__":
    FILE.write_text(with_settings(FILE.read_text(encoding="utf-8")), encoding="utf-8")
