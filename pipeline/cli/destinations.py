"""The option `--destination`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from pipeline.core.classification import Destination
from pipeline.settings.choices import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.bootstrap.destinations.row import DestinationRow

    _Command = TypeVar("_Command", bound=Callable[..., Any])

PROCESSORS: Final[Mapping[Destination, Role]] = {
    Destination.SEGMENT: Role.PROCESSOR,
    Destination.MIXPANEL: Role.MIXPANEL_PROCESSOR,
}
"""The role that `worker processor` runs for each destination."""


class DestinationChoice(click.Choice[str]):
    """The name of a destination; converted to its row."""

    def __init__(self) -> None:
        super().__init__([destination.value for destination in Destination])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the row of the destination."""
        from pipeline.bootstrap import DESTINATIONS

        return DESTINATIONS[Destination(super().convert(value, param, ctx))]


def destination_option(command: _Command) -> _Command:
    """Add the option `--destination`, whose value is a `DestinationRow`: Segment's by default."""
    return click.option(
        "--destination",
        type=DestinationChoice(),
        default=Destination.SEGMENT.value,
        show_default=True,
        help="The destination whose settings are used.",
    )(command)


def destinations_option(command: _Command) -> _Command:
    """Add the repeatable option `--destination`, whose value is one `DestinationRow` or more: Segment's by default."""
    return click.option(
        "--destination",
        "destinations",
        type=DestinationChoice(),
        multiple=True,
        default=[Destination.SEGMENT.value],
        show_default=True,
        callback=_each_once,
        help="Whose bill is estimated. Repeatable: results stand side by side.",
    )(command)


def _each_once(
    context: click.Context, option: click.Parameter, rows: tuple[DestinationRow, ...]
) -> tuple[DestinationRow, ...]:
    for row in rows:
        if rows.count(row) > 1:
            raise click.BadParameter(f"`{row.name}` is given twice.", context, option)
    return rows
