"""`traffic`: made-up events for a pipeline that is being tried."""

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
    """Events a second."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number; `nan` lies in every range as click compares."""
        rate = super().convert(value, param, ctx)
        if math.isnan(rate):
            self.fail(f"{value!r} is not in the range {self._describe_range()}.", param, ctx)
        return rate


@click.command()
@click.option("--events", type=EventCount(), help="Events to write; without it there is no end.")
@click.option(
    "--rate",
    type=_Rate(min=0, max=_MOST_EVENTS_PER_SECOND),
    default=_EVENTS_PER_SECOND,
    show_default=True,
    help="Events a second; 0 is as many as Kafka takes.",
)
@click.option("--seed", type=Seed(), help="The same seed gives the same users and ids; without it each run has others.")
@pass_invocation
def traffic(invocation: Invocation, *, events: int | None, rate: float, seed: int | None) -> None:
    """Write made-up events of made-up users into the raw topic of a running Kafka.

    Never do that where they reach the Segment that you pay for: each made-up user would be billed. SIGTERM or Ctrl-C:
    say what was written, exit 0.
    """
    from pipeline.bootstrap import tls_mistakes, topic_use
    from pipeline.local.traffic_stream import TrafficOptions, run_traffic

    settings = invocation.settings([Requirement.KAFKA], [tls_mistakes])
    run_traffic(
        settings, topic_use(Role.PROCESSOR, settings), TrafficOptions(events=events, rate=rate, seed=seed), say=say
    )
