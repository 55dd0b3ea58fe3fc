"""`segment`: check that Segment can be reached and accepts what the pipeline sends."""

from __future__ import annotations

import asyncio

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.output.printing import say, say_error
from pipeline.settings.choices import Requirement


@click.group()
def segment() -> None:
    """Check the connection to Segment."""


@segment.command()
@pass_invocation
def check(invocation: Invocation) -> int:
    """Send one marked event to check key, region and network.

    Prints where to find the event in Segment.
    """
    from pipeline.bootstrap import segment_api

    report = asyncio.run(segment_api(invocation.settings([Requirement.SEGMENT])).probe())
    write = say if report.ok else say_error
    write(*report.lines)
    return 0 if report.ok else 1
