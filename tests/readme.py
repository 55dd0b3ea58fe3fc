"""The generated part of the README: `make docs` writes it, a test compares it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pipeline.settings.presentation import reference_table

README: Final = Path(__file__).parent.parent / "README.md"
_GENERATED: Final = re.compile(r"(<!-- settings: [^\n]* -->\n).*?(<!-- /settings -->)", re.DOTALL)


def with_settings(text: str) -> str:
    """Return a README with the present settings in the place that is marked for them."""
    marked = _GENERATED.search(text)
    if marked is None:
        raise ValueError("the README has no place marked for the settings")
    return f"{text[: marked.end(1)]}\n{reference_table()}\n{text[marked.start(2) :]}"


if __name__ == "__main__":
    README.write_text(with_settings(README.read_text(encoding="utf-8")), encoding="utf-8")
