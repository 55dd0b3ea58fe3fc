"""`segment`: find out whether Segment can be reached and takes what we send."""

from __future__ import annotations

import asyncio

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.output.printing import say, say_error
from pipeline.settings.choices import Requirement


@click.group()
def segment() -> None:
    """See whether Segment can be reached."""


@segment.command()
@pass_invocation
def check(invocation: Invocation) -> int:
    """Check key, region and network by sending one marked event, and say where to look for it."""
    from pipeline.bootstrap import segment_options
    from pipeline.delivery.probe import probe

    report = asyncio.run(probe(segment_options(invocation.settings([Requirement.SEGMENT]))))
    tell = say if report.ok else say_error
    tell(*report.lines)
    return 0 if report.ok else 1
