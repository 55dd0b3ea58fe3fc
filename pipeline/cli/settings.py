"""`settings`: what is in force, and what there is to set."""

from __future__ import annotations

import click
import orjson

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.output.printing import say
from pipeline.settings.presentation import effective_settings, reference_table


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="`markdown` is the reference of all settings, whatever is in force.",
)
@pass_invocation
def settings(invocation: Invocation, form: str) -> None:
    """Show the settings in force, secrets masked."""
    if form == "markdown":
        say(*reference_table().split("\n"))
        return
    from pipeline.bootstrap import policy_mistakes, schema_mistakes, tls_mistakes

    lines = effective_settings(invocation.settings(checks=[tls_mistakes, policy_mistakes, schema_mistakes]))
    if form == "json":
        listed = {line.variable: {"value": line.value, "set": line.is_set} for line in lines}
        say(*orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode().split("\n"))
        return
    width = max(len(line.variable) for line in lines)
    for line in lines:
        mark = "" if line.is_set or line.value is None else "  (default)"
        say(f"{line.variable:<{width}}  {'-' if line.value is None else line.value}{mark}")
