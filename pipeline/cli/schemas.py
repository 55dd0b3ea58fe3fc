"""`schemas`: compare the pipeline's Avro contracts with a schema registry, and register them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.output.printing import say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from pipeline.kafka.schema_registry import SchemaRegistry
    from pipeline.settings.sections import Settings

_RAW_EVENT = "raw-event"
_NAMES = (_RAW_EVENT, "segment-record", "mixpanel-record", "dead-letter")
_WHICH = click.argument("contracts", nargs=-1, type=click.Choice(_NAMES))


@click.group()
def schemas() -> None:
    """Check and register the Avro contracts in a schema registry."""


@schemas.command()
@_WHICH
@pass_invocation
def check(invocation: Invocation, contracts: tuple[str, ...]) -> int:
    """Check CONTRACTS (default: all) against the registry.

    Print whether each contract is registered, or could be. For raw-event, also judge every version that is registered
    under the raw topic's subject, by Avro's compatibility checker and by the processor's decoder. List the versions
    that the processor cannot read, with the reason. Where the two disagree, print both answers.

    Exit 1 if a contract could not be registered, or if checker or decoder refuses a version. Soft-deleted versions are
    judged, but do not count.
    """
    return asyncio.run(_check(_settings(invocation), contracts or _NAMES))


@schemas.command()
@_WHICH
@click.option("--dry-run", is_flag=True, help="Only check whether the registry would accept them.")
@pass_invocation
def register(invocation: Invocation, contracts: tuple[str, ...], *, dry_run: bool) -> int:
    """Register CONTRACTS (default: those of the records of the destinations in use).

    `PIPELINE_RECORDS_FORMAT=avro` needs them to be registered.
    """
    from pipeline.bootstrap import in_use

    settings = _settings(invocation)
    records = tuple(row.records.contract.subject for row in in_use(settings))
    return asyncio.run(_register(settings, contracts or records, dry_run=dry_run))


def _settings(invocation: Invocation) -> Settings:
    from pipeline.bootstrap import registry_mistakes, tls_mistakes

    return invocation.settings(checks=[tls_mistakes, registry_mistakes])


async def _check(settings: Settings, names: Collection[str]) -> int:
    from pipeline.bootstrap.registry import subject
    from pipeline.core.avro.contracts import RAW_EVENT
    from pipeline.kafka.schema_registry import RegistryFaultError

    async with _registry(settings) as registry:
        fault, fine = None, False
        try:
            fine = await _go_through(registry, settings, names, register=False)
        except RegistryFaultError as error:  # Apicurio answers 422 if a subject has JSON Schema or Protobuf
            fault = error
        if _RAW_EVENT in names:
            fine = await _judge_versions(registry, subject(settings, settings.raw_topic, RAW_EVENT)) and fine
    if fault is not None:
        raise fault
    return 0 if fine else 1


async def _register(settings: Settings, names: Collection[str], *, dry_run: bool) -> int:
    async with _registry(settings) as registry:
        return 0 if await _go_through(registry, settings, names, register=not dry_run) else 1


@asynccontextmanager
async def _registry(settings: Settings) -> AsyncIterator[SchemaRegistry]:
    from pipeline.bootstrap.registry import open_registry
    from pipeline.settings.mistakes import setting_error

    async with open_registry(settings) as registry:
        if registry is None:
            raise setting_error("schema_registry_url", "is not set: give the registry.")
        yield registry


async def _go_through(registry: SchemaRegistry, settings: Settings, names: Collection[str], *, register: bool) -> bool:
    """Print the status of each contract; return whether the registry has or would accept all of them."""
    from pipeline.bootstrap import DESTINATIONS
    from pipeline.bootstrap.registry import subject
    from pipeline.core.avro.contracts import DEAD_LETTER, RAW_EVENT

    topics = {
        _RAW_EVENT: (settings.raw_topic, RAW_EVENT),
        **{
            row.records.contract.subject: (row.section(settings).records_topic, row.records.contract)
            for row in DESTINATIONS.values()
        },
        "dead-letter": (settings.dead_letter_topic, DEAD_LETTER),
    }
    refused = 0
    for name in names:
        topic, contract = topics[name]
        where = subject(settings, topic, contract)
        found = await registry.registered(where, contract.text)
        if found is not None:
            result = f"registered, id {found.schema_id}"
        elif register:
            result = f"registered now, id {await registry.register(where, contract.text)}"
        elif await registry.compatible(where, contract.text):
            result = f"not registered; the registry would accept it: `onesignal-pipeline schemas register {name}`"
        else:
            refused += 1
            result = (
                "not registered, and the registry would refuse it: the subject's compatibility rule does not "
                f"allow it after the registered versions. `onesignal-pipeline schemas register {name}` prints the "
                "registry's reason"
            )
        say(f"{name}: {where}: {result}")
    return not refused


async def _judge_versions(registry: SchemaRegistry, where: str) -> bool:
    """Print the versions that the processor cannot read, then how many it can; return whether it can read all."""
    from pipeline.tools.schema_versions import VersionReport

    report = VersionReport()
    async for version in registry.versions():
        if (objection := report.add(version)) is not None:
            say(f"{_RAW_EVENT}: {where}: {objection}")
    say(f"{_RAW_EVENT}: {where}: {report}")
    return not report.unreadable
