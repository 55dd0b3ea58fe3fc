"""`traffic`: generated events, to try out a pipeline."""

from __future__ import annotations

import math
from typing import Any, Final

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.cli.numbers import EventCount, Seed
from pipeline.output.printing import say
from pipeline.settings.choices import Requirement, Role

_EVENTS_PER_SECOND: Final = 100.0
_MOST_EVENTS_PER_SECOND: Final = 1_000_000.0


class _Rate(click.FloatRange):
    """Events per second."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a number; click accepts `nan` in every range."""
        rate = super().convert(value, param, ctx)
        if math.isnan(rate):
            self.fail(f"{value!r} is not in the range {self._describe_range()}.", param, ctx)
        return rate


@click.command()
@click.option("--events", type=EventCount(), help="Events to write; unlimited by default.")
@click.option(
    "--rate",
    type=_Rate(min=0, max=_MOST_EVENTS_PER_SECOND),
    default=_EVENTS_PER_SECOND,
    show_default=True,
    help="Events per second; 0 is as fast as Kafka accepts them.",
)
@click.option("--seed", type=Seed(), help="The same seed gives the same users and ids; random by default.")
@pass_invocation
def traffic(invocation: Invocation, *, events: int | None, rate: float, seed: int | None) -> None:
    """Write generated events to the raw topic of a running Kafka.

    Do not use it where the events reach a Segment workspace that you pay for: each generated user would be billed. On
    SIGTERM or Ctrl-C, prints the number of written events and exits with 0.
    """
    from pipeline.bootstrap import tls_mistakes, topic_use
    from pipeline.local.traffic_stream import TrafficOptions, run_traffic

    settings = invocation.settings([Requirement.KAFKA], [tls_mistakes])
    run_traffic(
        settings, topic_use(Role.PROCESSOR, settings), TrafficOptions(events=events, rate=rate, seed=seed), say=say
    )
