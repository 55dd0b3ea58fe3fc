"""The program `onesignal-pipeline`: its commands, its exit codes, and how it reports errors."""

from __future__ import annotations

import io
import os
import sys
import traceback
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click
from click.shell_completion import get_completion_class

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.cli.demo import demo
from pipeline.cli.mixpanel import mixpanel
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
from pipeline.output.printing import OutputLostError, flush_output, give_up, say, say_error
from pipeline.settings.files import FileError, check_answers
from pipeline.settings.masking import presentable, without_keys
from pipeline.settings.mistakes import Mistake, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROGRAM: Final = "onesignal-pipeline"
_COMPLETION_VARIABLE: Final = "_ONESIGNAL_PIPELINE_COMPLETE"
_AUTHORITIES_VARIABLE: Final = "SSL_CERT_FILE"


class ExitCode(IntEnum):
    """The exit codes of the program."""

    DONE = 0
    FAILED = 1
    MISTAKE = 2
    INTERRUPTED = 130


_EPILOG: Final = """
\b
Exit codes:
  0      done
  1      failed: a check found faults, or the command could not complete
  2      a mistake in arguments, settings or files; all are listed
  130    interrupted
  128+n  ended by signal n: 143 by a second SIGTERM, 137 killed

Settings are environment variables; `onesignal-pipeline settings` lists them.
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
@pass_invocation
def cli(invocation: Invocation) -> None:
    """Forward OneSignal's messaging events through Kafka to Segment and Mixpanel."""
    _check_authorities(invocation.environment)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a SHELL.

    \b
    bash:  eval "$(onesignal-pipeline completion bash)"      in ~/.bashrc
    zsh:   eval "$(onesignal-pipeline completion zsh)"       in ~/.zshrc
    fish:  onesignal-pipeline completion fish | source       in config.fish
    """
    completed = get_completion_class(shell)
    if completed is None:
        raise click.ClickException(f"completion for {shell} is not known")
    say(*completed(cli, {}, PROGRAM, _COMPLETION_VARIABLE).source().split("\n"))


for command in (worker, topics, schemas, segment, mixpanel, rules, tracked_users, settings, demo, traffic):
    cli.add_command(command)


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one command and return its exit code; errors are printed on standard error."""
    invocation = Invocation(environment=environment)
    try:
        _check_characters(arguments)
        code = cli.main(list(arguments), prog_name=PROGRAM, obj=invocation, standalone_mode=False)
    except click.ClickException as error:
        say_error(*(without_keys(line, arguments) for line in _lines_of(error)))
        return error.exit_code
    except (SettingsError, RulesError) as error:
        say_error(*str(error).split("\n"))
        return ExitCode.MISTAKE
    except ClusterFaultError as error:
        say_error(*error.sentences)
        return ExitCode.FAILED
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return code if isinstance(code, int) else ExitCode.DONE


def main() -> NoReturn:
    """Run the command that the arguments name, in the environment of this process."""
    _prepare_streams()
    try:
        code = run(sys.argv[1:], dict(os.environ))
        flush_output()
    except OutputLostError as lost:
        code = _without_output(lost)
    except OSError as error:
        if not _comes_of_click_printing(error):
            raise
        code = _without_output(OutputLostError(error))
    sys.exit(code)


def _check_authorities(environment: Mapping[str, str]) -> None:
    """Refuse a certificates file that cannot be read: OpenSSL reads it while aiohttp is imported.

    Raises:
        SettingsError: it is not a regular file, or reading it takes too long.
    """
    named = environment.get(_AUTHORITIES_VARIABLE)
    if not named:
        return
    try:
        check_answers(Path(named))
    except FileError as error:
        text = f"{_AUTHORITIES_VARIABLE} is `{presentable(named, is_path=True)}`, but {error}."
        raise SettingsError((Mistake(fields=(), text=text),)) from None


def _check_characters(arguments: Sequence[str]) -> None:
    """Refuse arguments that no operating system passes on, so that no other code has to handle them.

    Raises:
        UsageError: for the first of them.
    """
    for position, argument in enumerate(arguments, 1):
        if "\0" in argument or not _has_bytes(argument):
            raise click.UsageError(f"argument {position} has characters that no argument can have: {argument!r}")


def _has_bytes(argument: str) -> bool:
    try:
        os.fsencode(argument)
    except UnicodeEncodeError:
        return False
    return True


def _lines_of(error: click.ClickException) -> Iterator[str]:
    """Return the lines of an error: usage where it helps, then one line for the error itself."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        yield from error.format_message().split("\n")
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        yield from error.ctx.get_usage().split("\n")
        yield f"Try '{error.ctx.command_path} {error.ctx.help_option_names[0]}' for help."
        yield ""
    text = error.format_message()
    if isinstance(error, click.MissingParameter):
        text = " ".join(text.split())  # click prints one line for each choice
    yield f"Error: {text}"


def _without_output(lost: OutputLostError) -> int:
    give_up(sys.stdout)
    if not lost.reader_has_gone:  # a closed pipe is not an error
        say_error(str(lost))
    return ExitCode.FAILED


def _prepare_streams() -> None:
    """Make every character printable, and connect standard streams that the caller has closed to the null device.

    Otherwise a socket could get the descriptor of a closed stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 -- for the rest of the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _comes_of_click_printing(error: OSError) -> bool:
    """Return whether the error is about printing help or the version, which click prints by itself."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    name: str = innermost.f_globals["__name__"]
    return name == "click.utils"
