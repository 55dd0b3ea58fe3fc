"""`worker`: run one role of the pipeline, or all of them."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.cli.destinations import PROCESSORS
from pipeline.core.classification import Destination
from pipeline.settings.choices import Requirement, Role
from pipeline.settings.mistakes import Mistake, variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.settings.loading import Check
    from pipeline.settings.sections import Settings

_ALL: Final = "all"
_SINKS: Final = tuple(role for role in Role if role not in PROCESSORS.values())
_NAMES: Final = (*(role.value for role in (Role.PROCESSOR, *_SINKS)), _ALL)
_LAST_PORT: Final = 65_535


@click.command()
@click.argument("role", type=click.Choice(_NAMES))
@click.option(
    "--destination",
    type=click.Choice([destination.value for destination in PROCESSORS]),
    help="Whose records a processor builds; segment by default.",
)
@pass_invocation
def worker(invocation: Invocation, role: str, destination: str | None) -> int:
    """Run a processor, the sink of a destination, or everything.

    `processor` builds the records of one destination. With `all`, every destination whose credentials are set gets a
    processor and a sink; each is a separate process, and they end together.

    On SIGTERM or Ctrl-C, stops fetching, settles what was fetched, commits, leaves the group and exits with 0. A second
    signal ends it at once.
    """
    gc.disable()  # imported modules stay; collecting among them takes a tenth of a second
    import_structlog_alone()
    from pipeline.bootstrap import run_all, run_worker

    gc.enable()
    chosen = _role(role, destination)
    settings = _settings(invocation, chosen)
    return run_all(invocation.environment, settings) if chosen is None else run_worker(chosen, settings)


def import_structlog_alone() -> None:
    """Import structlog without rich, which it imports, if installed, to colour tracebacks.

    A worker colours none, and importing rich takes a tenth of its start. Later imports of rich still succeed.
    """
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment] # lets an import of it fail
    try:
        import structlog  # noqa: F401
    finally:
        if hidden:
            del sys.modules["rich"]


def _role(name: str, destination: str | None) -> Role | None:
    """Return the role that the arguments name; None for all."""
    if destination is not None and name != Role.PROCESSOR:
        text = f"only `worker {Role.PROCESSOR}` has this option: a sink is named after its destination."
        raise click.BadOptionUsage("--destination", text)
    if name == Role.PROCESSOR:
        return PROCESSORS[Destination(destination or Destination.SEGMENT)]
    return None if name == _ALL else Role(name)


def _settings(invocation: Invocation, role: Role | None) -> Settings:
    """Read the settings and the files that they name, so that the mistakes in both are listed together."""
    from pipeline.bootstrap import checks_of, registry_mistakes, requirements_of, tls_mistakes

    checks: list[Check] = [tls_mistakes, registry_mistakes]
    if role is None:
        return invocation.settings([Requirement.KAFKA], [*checks, _all_mistakes])
    return invocation.settings(requirements_of([role]), [*checks, *checks_of([role])], role=role)


def _all_mistakes(settings: Settings) -> Iterator[Mistake]:
    """List what is wrong with the settings of the roles that `all` starts."""
    from pipeline.bootstrap import checks_of, in_use, roles_of, with_credentials

    destinations = with_credentials(settings)
    roles = roles_of(destinations or in_use(settings))
    if not destinations:
        fields = tuple(own.setting(own.credential) for own in settings.destinations)
        names = ", ".join(map(variable, fields))
        text = f"`worker all` runs the destinations whose credentials are set, and none are: set one of {names}."
        yield Mistake(fields=fields, text=text)
    if settings.http_port + len(roles) - 1 > _LAST_PORT:
        text = (
            f"{variable('http_port')} is `{settings.http_port}`: `worker all` needs {len(roles)} ports from there on."
        )
        yield Mistake(fields=("http_port",), text=text)
    for check in checks_of(roles_of(in_use(settings))):
        yield from check(settings)
