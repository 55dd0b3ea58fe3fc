"""`settings`: the effective settings, and the reference of all settings."""

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
    help="`markdown` prints the reference of all settings.",
)
@pass_invocation
def settings(invocation: Invocation, form: str) -> None:
    """Show the effective settings, with secrets masked."""
    if form == "markdown":
        say(*reference_table().split("\n"))
        return
    from pipeline.bootstrap import policy_mistakes, schema_mistakes, tls_mistakes

    shown = effective_settings(invocation.settings(checks=[tls_mistakes, policy_mistakes, schema_mistakes]))
    if form == "json":
        listed = {each.variable: {"value": each.value, "set": each.is_set} for each in shown}
        say(*orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode().split("\n"))
        return
    width = max(len(each.variable) for each in shown)
    for each in shown:
        mark = "" if each.is_set or each.value is None else "  (default)"
        say(f"{each.variable:<{width}}  {'-' if each.value is None else each.value}{mark}")
