"""`worker`: run one role of the pipeline, or all of them."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.settings.choices import Role
from pipeline.settings.mistakes import Mistake, variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.settings.loading import Check
    from pipeline.settings.sections import Settings

_ALL: Final = "all"
_LAST_PORT: Final = 65_535


@click.command()
@click.argument("role", type=click.Choice([*(role.value for role in Role), _ALL]))
@pass_invocation
def worker(invocation: Invocation, role: str) -> int:
    """Run the processor, the Segment sink, or both.

    With `all`, each role is a separate process, and they end together.

    On SIGTERM or Ctrl-C, stops fetching, settles what was fetched, commits, leaves the group and exits with 0. A second
    signal ends it at once.
    """
    gc.disable()  # imported modules stay; collecting among them takes a tenth of a second
    import_structlog_alone()
    from pipeline.bootstrap import run_all, run_worker

    gc.enable()
    settings = _settings(invocation, role)
    return run_all(invocation.environment, settings) if role == _ALL else run_worker(Role(role), settings)


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


def _settings(invocation: Invocation, role: str) -> Settings:
    """Read the settings and the files that they name, so that the mistakes in both are listed together."""
    from pipeline.bootstrap import checks_of, registry_mistakes, requirements_of, tls_mistakes

    roles = tuple(Role) if role == _ALL else (Role(role),)
    ports: list[Check] = [_port_mistakes] if role == _ALL else []
    checks = [tls_mistakes, registry_mistakes, *ports, *checks_of(roles)]
    return invocation.settings(requirements_of(roles), checks, role=None if role == _ALL else Role(role))


def _port_mistakes(settings: Settings) -> Iterator[Mistake]:
    last = settings.http_port + len(Role) - 1
    if last > _LAST_PORT:
        text = f"{variable('http_port')} is `{settings.http_port}`: `worker all` needs {len(Role)} ports from there on."
        yield Mistake(fields=("http_port",), text=text)
