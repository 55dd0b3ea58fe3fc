"""`demo`: the whole pipeline on this machine, with its own broker and stand-ins for the destinations."""

from __future__ import annotations

from typing import Final

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.cli.numbers import EventCount, Seed
from pipeline.core.presets import Preset
from pipeline.settings.extras import Extra, require_extra

_EVENTS: Final = 200_000


@click.command()
@click.option("--events", type=EventCount(), default=_EVENTS, show_default=True, help="Events to generate.")
@click.option("--seed", type=Seed(), default=1, show_default=True, help="The same seed gives the same events.")
@click.option("--faults", is_flag=True, help="Make the destinations busy, slow or broken at times.")
@click.option(
    "--preset",
    type=click.Choice([preset.value for preset in Preset]),
    default=Preset.CURB_SENT_AND_DISPLAYED.value,
    show_default=True,
    help="The filter rules.",
)
@click.option("--keep", is_flag=True, help="Keep running at the end, and print the addresses.")
@pass_invocation
def demo(invocation: Invocation, *, events: int, seed: int, faults: bool, preset: str, keep: bool) -> int:
    """Run the whole pipeline on this machine.

    Starts a broker, the workers, and stand-ins for Segment and Mixpanel, and sends events through them. Ends with a
    table; the exit code is 1 if it does not add up. Needs the extra `demo`: pip install 'onesignal-pipeline[demo]'.
    """
    require_extra(Extra.DEMO, needed_by="`demo`")
    from pipeline.local.demo import DemoOptions, run_demo

    options = DemoOptions(events=events, seed=seed, faults=faults, preset=Preset(preset), keep=keep)
    return run_demo(options, environment=invocation.environment)
