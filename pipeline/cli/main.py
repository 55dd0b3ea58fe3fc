"""The program `onesignal-pipeline`: its commands, its exit codes, and how it says what went wrong."""

from __future__ import annotations

import os
import sys
import traceback
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click
from click.shell_completion import get_completion_class

from pipeline.cli.context import Invocation
from pipeline.cli.demo import demo
from pipeline.cli.rules import rules
from pipeline.cli.schemas import schemas
from pipeline.cli.segment import segment
from pipeline.cli.settings import settings
from pipeline.cli.topics import topics
from pipeline.cli.tracked_users import tracked_users
from pipeline.cli.traffic import traffic
from pipeline.cli.worker import worker
from pipeline.core.mistakes import RulesError
from pipeline.kafka.errors import ClusterFaultError
from pipeline.settings.mistakes import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAM: Final = "onesignal-pipeline"
_PRINTERS: Final = frozenset({__name__, "click.utils", "rich.console"})
_COMPLETION_VARIABLE: Final = "_ONESIGNAL_PIPELINE_COMPLETE"


class ExitCode(IntEnum):
    """What the program tells its caller."""

    DONE = 0
    FAILED = 1
    MISTAKE = 2
    INTERRUPTED = 130


_EPILOG: Final = """
\b
Exit codes:
  0      done
  1      failed: a check found faults, or the work could not go on
  2      a mistake in arguments, settings or files; every one is listed
  130    interrupted
  128+n  ended by signal n: 143 by a second SIGTERM, 137 killed

Settings are environment variables; `onesignal-pipeline settings` lists them.
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
def cli() -> None:
    """Bring OneSignal's messaging events through Kafka into Segment."""


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a SHELL complete commands.

    \b
    bash:  eval "$(onesignal-pipeline completion bash)"      in ~/.bashrc
    zsh:   eval "$(onesignal-pipeline completion zsh)"       in ~/.zshrc
    fish:  onesignal-pipeline completion fish | source       in config.fish
    """
    completed = get_completion_class(shell)
    if completed is None:
        raise click.ClickException(f"completion for {shell} is not known")
    click.echo(completed(cli, {}, PROGRAM, _COMPLETION_VARIABLE).source())


for command in (worker, topics, schemas, segment, rules, tracked_users, settings, demo, traffic):
    cli.add_command(command)


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one command and return its exit code; what went wrong is said on standard error."""
    invocation = Invocation(environment=environment)
    try:
        code = cli.main(list(arguments), prog_name=PROGRAM, obj=invocation, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (SettingsError, RulesError) as error:
        click.echo(str(error), err=True)
        return ExitCode.MISTAKE
    except ClusterFaultError as error:
        click.echo(str(error), err=True)
        return ExitCode.FAILED
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return code if isinstance(code, int) else ExitCode.DONE


def main() -> NoReturn:
    """Run the command that the arguments name, in the environment of this process."""
    _open_what_is_closed()
    try:
        code = run(sys.argv[1:], dict(os.environ))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone, which is no fault.
        _give_stdout_up()
        code = ExitCode.FAILED
    except OSError as error:
        if not _comes_of_printing(error):
            raise
        _give_stdout_up()
        click.echo(f"Standard output cannot be written: {error.strerror}.", err=True)
        code = ExitCode.FAILED
    sys.exit(code)


def _open_what_is_closed() -> None:
    """Let standard streams that the caller has closed (`>&-`) lead nowhere; a socket would take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 -- for the rest of the process


def _comes_of_printing(error: OSError) -> bool:
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    return innermost.f_globals["__name__"] in _PRINTERS


def _give_stdout_up() -> None:
    """Let what cannot be written go nowhere; Python would complain about it when it closes the stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
