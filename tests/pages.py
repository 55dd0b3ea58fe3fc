"""What the pages of the documentation say in tables, to be compared with the program."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]


def rows(page: str, first: str) -> list[list[str]]:
    """Return the cells of each row of the first table whose first column has this heading."""
    text = (ROOT / page).read_text(encoding="utf-8")
    table = text.partition(f"\n| {first} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.split("\n")[2:]]
