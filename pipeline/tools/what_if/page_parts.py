"""Small pieces of the page: escaped text, axes, swatches, tables that scroll."""

from __future__ import annotations

from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final

from pipeline.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SERIES: Final = 6
_WIDTH: Final = 2.5
_DASHES: Final = ("", "7 4", "2 4", "10 3 2 3", "4 2", "1 3")
_THOUSAND: Final = 1_000
_TICKS: Final = 4


def text(words: object) -> str:
    """Escape what is no markup, and what would hide or reorder the words around it."""
    return escape(visible(str(words)), quote=True)


def colour(place: int) -> str:
    """Return the colour of a set of rules, by its place."""
    return f"var(--series-{place % _SERIES})"


def line_style(place: int, sets: int = 1) -> str:
    """Return colour and dashes of a set's line, so that it is known without colours too.

    Of several sets the first are broader, for they may lie under the others.
    """
    dash = _DASHES[place % len(_DASHES)]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    width = _WIDTH + 1.5 * max(0, sets - 1 - place)
    return f'style="stroke:{colour(place)};stroke-width:{width:g}"{dashes}'


def swatch(place: int) -> str:
    """Draw a piece of a set's line, for legends."""
    line = f'<line x1="0" y1="6" x2="32" y2="6" {line_style(place)}/>'
    return f'<svg class="swatch" viewBox="0 0 32 12" aria-hidden="true">{line}</svg>'


def legend(names: Iterable[str]) -> str:
    """Name the lines of a chart."""
    items = "".join(f"<li>{swatch(place)}{text(name)}</li>" for place, name in enumerate(names))
    return f'<ul class="key">{items}</ul>'


def nice_ticks(highest: float) -> list[float]:
    """Choose about four round numbers from 0 up to the first that is not below the highest."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / _TICKS
    size = 10.0 ** floor(log10(rough))
    step = size * next(each for each in (1, 2, 2.5, 5, 10) if rough <= each * size * (1 + 1e-9))
    return [step * place for place in range(ceil(highest / step - 1e-9) + 1)]


def short_number(value: float) -> str:
    """Write a number for an axis."""
    for size, sign in ((_THOUSAND**3, "G"), (_THOUSAND**2, "M"), (_THOUSAND, "k")):
        if value >= size:
            return f"{value / size:g}{sign}"
    return f"{value:g}"


def table(
    head: str, rows: Iterable[str], *, caption: str, foot: str = "", wide: bool = False, columns: str = ""
) -> str:
    """Make a table that scrolls by itself where the screen is narrow."""
    return (
        f'<div class="scroll{" wide" * wide}" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
        f"<caption>{text(caption)}</caption>{columns}<thead>{head}</thead><tbody>{''.join(rows)}</tbody>"
        f"{f'<tfoot>{foot}</tfoot>' if foot else ''}</table></div>"
    )


def row(name: str, cells: Sequence[str], *, attributes: str = "") -> str:
    """Make a row of a table: its name, and cells that are markup already."""
    return f'<tr{attributes}><th scope="row">{text(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def heads(names: Iterable[str]) -> str:
    """Make the heads of columns."""
    return "<tr>" + "".join(f'<th scope="col">{text(name)}</th>' for name in names) + "</tr>"
