"""The parts of the page: escaped text, axes, swatches, tables that scroll."""

from __future__ import annotations

from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final

from pipeline.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SERIES: Final = 6
_WIDTH: Final = 2.5
_DASHES: Final = ("", "7 4", "2 4", "10 3 2 3", "4 2", "1 3")
_THOUSAND: Final = 1_000
_TICKS: Final = 4


def text(words: object) -> str:
    """Return a text with markup escaped, and with characters escaped that hide or reorder text."""
    return escape(visible(str(words)), quote=True)


def colour(index: int) -> str:
    """Return the colour of a set of rules by its index."""
    return f"var(--series-{index % _SERIES})"


def line_style(index: int, sets: int = 1) -> str:
    """Return colour and dashes of a set's line. The dashes distinguish it without colours too.

    The lines of the first sets are wider, because other lines may cover them.
    """
    dash = _DASHES[index % len(_DASHES)]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    width = _WIDTH + 1.5 * max(0, sets - 1 - index)
    return f'style="stroke:{colour(index)};stroke-width:{width:g}"{dashes}'


def swatch(index: int) -> str:
    """Return a sample of a set's line, for legends."""
    line = f'<line x1="0" y1="6" x2="32" y2="6" {line_style(index)}/>'
    return f'<svg class="swatch" viewBox="0 0 32 12" aria-hidden="true">{line}</svg>'


def legend(names: Iterable[str]) -> str:
    """Return the legend of a chart's lines."""
    items = "".join(f"<li>{swatch(index)}{text(name)}</li>" for index, name in enumerate(names))
    return f'<ul class="key">{items}</ul>'


def nice_ticks(highest: float) -> list[float]:
    """Return about four round numbers from 0 to the first that is at least the highest value."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / _TICKS
    size = 10.0 ** floor(log10(rough))
    step = size * next(each for each in (1, 2, 2.5, 5, 10) if rough <= each * size * (1 + 1e-9))
    return [step * index for index in range(ceil(highest / step - 1e-9) + 1)]


def short_number(value: float) -> str:
    """Return a number for an axis."""
    for size, sign in ((_THOUSAND**3, "G"), (_THOUSAND**2, "M"), (_THOUSAND, "k")):
        if value >= size:
            return f"{value / size:g}{sign}"
    return f"{value:g}"


def table(
    head: str, rows: Iterable[str], *, caption: str, foot: str = "", wide: bool = False, columns: str = ""
) -> str:
    """Return a table that scrolls on its own on a narrow screen."""
    return (
        f'<div class="scroll{" wide" * wide}" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
        f"<caption>{text(caption)}</caption>{columns}<thead>{head}</thead><tbody>{''.join(rows)}</tbody>"
        f"{f'<tfoot>{foot}</tfoot>' if foot else ''}</table></div>"
    )


def beside(parts: Mapping[str, str]) -> str:
    """Return markup under its titles, side by side on a wide screen; a single part needs no title."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    columns = (f"<div><h3>{text(title)}</h3>{part}</div>" for title, part in parts.items())
    return f'<div class="beside">{"".join(columns)}</div>'


def row(name: str, cells: Sequence[str], *, attributes: str = "") -> str:
    """Return a row of a table from its name and cells, which are already markup."""
    return f'<tr{attributes}><th scope="row">{text(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def heads(names: Iterable[str]) -> str:
    """Return the column headings."""
    return "<tr>" + "".join(f'<th scope="col">{text(name)}</th>' for name in names) + "</tr>"
