"""`mixpanel`: check that Mixpanel can be reached and accepts what the pipeline sends."""

from __future__ import annotations

import asyncio

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.output.printing import say, say_error
from pipeline.settings.choices import Requirement


@click.group()
def mixpanel() -> None:
    """Check the connection to Mixpanel."""


@mixpanel.command()
@pass_invocation
def check(invocation: Invocation) -> int:
    """Send one marked event to check credentials, region and network.

    Prints where to find the event in Mixpanel.
    """
    from pipeline.bootstrap import mixpanel_api

    report = asyncio.run(mixpanel_api(invocation.settings([Requirement.MIXPANEL])).probe())
    write = say if report.ok else say_error
    write(*report.lines)
    return 0 if report.ok else 1
