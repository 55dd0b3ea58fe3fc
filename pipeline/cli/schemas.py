"""`schemas`: compare the pipeline's Avro contracts with a schema registry, and register them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.output.printing import say

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.settings.sections import Settings

_NAMES = ("raw-event", "segment-record", "dead-letter")
_WHICH = click.argument("contracts", nargs=-1, type=click.Choice(_NAMES))


@click.group()
def schemas() -> None:
    """Check and register the Avro contracts in a schema registry."""


@schemas.command()
@_WHICH
@pass_invocation
def check(invocation: Invocation, contracts: tuple[str, ...]) -> int:
    """Say whether CONTRACTS (all of them) are registered, or could be; exit 1 if one could not."""
    return asyncio.run(_go_through(_settings(invocation), contracts or _NAMES, register=False))


@schemas.command()
@_WHICH
@click.option("--dry-run", is_flag=True, help="Only ask whether the registry would take them.")
@pass_invocation
def register(invocation: Invocation, contracts: tuple[str, ...], *, dry_run: bool) -> int:
    """Register CONTRACTS; without one, segment-record: what `PIPELINE_RECORDS_FORMAT=avro` needs."""
    return asyncio.run(_go_through(_settings(invocation), contracts or ("segment-record",), register=not dry_run))


def _settings(invocation: Invocation) -> Settings:
    from pipeline.bootstrap import tls_mistakes

    return invocation.settings(checks=[tls_mistakes])


async def _go_through(settings: Settings, names: Collection[str], *, register: bool) -> int:
    from pipeline.bootstrap.formats import open_registry, subject
    from pipeline.core.avro.contracts import DEAD_LETTER, RAW_EVENT, SEGMENT_RECORD
    from pipeline.settings.mistakes import setting_error

    topics = {
        "raw-event": (settings.raw_topic, RAW_EVENT),
        "segment-record": (settings.records_topic, SEGMENT_RECORD),
        "dead-letter": (settings.dead_letter_topic, DEAD_LETTER),
    }
    async with open_registry(settings) as registry:
        if registry is None:
            raise setting_error("schema_registry_url", "is not set: give the registry.")
        refused = 0
        for name in names:
            topic, contract = topics[name]
            where = subject(settings, topic, contract)
            found = await registry.registered(where, contract.text)
            if found is not None:
                told = f"registered, id {found.schema_id}"
            elif register:
                told = f"registered now, id {await registry.register(where, contract.text)}"
            elif await registry.compatible(where, contract.text):
                told = f"not registered; the registry would take it: `onesignal-pipeline schemas register {name}`"
            else:
                refused += 1
                told = (
                    "not registered, and the registry would refuse it: by the rule of the subject it cannot "
                    f"follow what is registered there. `onesignal-pipeline schemas register {name}` tells the reason, "
                    "in the registry's words"
                )
            say(f"{name}: {where}: {told}")
    return 1 if refused else 0
