"""The parts of a dashboard: rows of panels, and the queries of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Final


class Look(StrEnum):
    """How a panel shows its series."""

    NUMBER = auto()
    LINES = auto()
    STACKED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A query and its legend, with labels as `{{label}}`."""

    query: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    ``description`` says what is shown and what an unusual value means. ``steps`` are the thresholds of the colours, the
    first without a value. ``under_faults`` marks a panel that has no data before something goes wrong.
    """

    title: str
    description: str
    unit: str
    series: tuple[Series, ...]
    look: Look = Look.LINES
    steps: tuple[tuple[float | None, str], ...] = ((None, "green"),)
    width: int = 8
    height: int = 8
    most: float | None = None
    decimals: int | None = None
    under_faults: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels under a common title."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard; ``name`` is the name of its file and the end of its uid in Grafana."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...] = field(default_factory=tuple)

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row.panels)


EVENTS: Final = "count:events/s"
RECORDS: Final = "count:records/s"
MESSAGES: Final = "count:messages/s"
"""Units of rates: Grafana writes them as `1.2 K events/s`."""
GREEN: Final = ((None, "green"),)
ZERO_IS_GOOD: Final = ((None, "green"), (1, "red"))


def steps(yellow: float, red: float) -> tuple[tuple[float | None, str], ...]:
    """Return thresholds for values that are bad when they are large."""
    return ((None, "green"), (yellow, "yellow"), (red, "red"))


def steps_down(red: float, yellow: float) -> tuple[tuple[float | None, str], ...]:
    """Return thresholds for values that are bad when they are small."""
    return ((None, "red"), (red, "yellow"), (yellow, "green"))


def one(query: str, name: str = "") -> tuple[Series, ...]:
    """Return the one query of a panel."""
    return (Series(query=query, name=name),)


def number(
    title: str,
    description: str,
    query: str,
    *,
    unit: str = "short",
    colours: tuple[tuple[float | None, str], ...] = GREEN,
    decimals: int | None = None,
    width: int = 4,
    name: str = "",
) -> Panel:
    """Return a panel that shows its last value, large and coloured."""
    return Panel(
        title=title,
        description=description,
        unit=unit,
        series=one(query, name),
        look=Look.NUMBER,
        steps=colours,
        width=width,
        height=4,
        decimals=decimals,
    )
