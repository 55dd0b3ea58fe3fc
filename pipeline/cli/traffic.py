"""`traffic`: made-up events for a pipeline that is being tried."""

from __future__ import annotations

from typing import Final

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.settings.choices import Requirement

_EVENTS_PER_SECOND: Final = 100.0


@click.command()
@click.option("--events", type=click.IntRange(min=1), help="Events to write; without it there is no end.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=_EVENTS_PER_SECOND,
    show_default=True,
    help="Events a second; 0 is as many as Kafka takes.",
)
@click.option("--seed", type=int, help="The same seed gives the same users and ids; without it each run has others.")
@pass_invocation
def traffic(invocation: Invocation, *, events: int | None, rate: float, seed: int | None) -> None:
    """Write made-up events of made-up users into the raw topic of a running Kafka.

    Never do that where they reach the Segment that you pay for: each made-up user would be billed. SIGTERM or Ctrl-C:
    say what was written, exit 0.
    """
    from pipeline.bootstrap import tls_mistakes
    from pipeline.local.traffic_stream import TrafficOptions, run_traffic

    settings = invocation.settings([Requirement.KAFKA], [tls_mistakes])
    run_traffic(settings, TrafficOptions(events=events, rate=rate, seed=seed), say=click.echo)
