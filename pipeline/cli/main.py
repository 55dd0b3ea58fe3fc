"""The program `onesignal-pipeline`: its commands, its exit codes, and how it says what went wrong."""

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
@pass_invocation
def cli(invocation: Invocation) -> None:
    """Bring OneSignal's messaging events through Kafka into Segment."""
    _check_authorities(invocation.environment)


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
    say(*completed(cli, {}, PROGRAM, _COMPLETION_VARIABLE).source().split("\n"))


for command in (worker, topics, schemas, segment, rules, tracked_users, settings, demo, traffic):
    cli.add_command(command)


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one command and return its exit code; what went wrong is said on standard error."""
    invocation = Invocation(environment=environment)
    try:
        _check_characters(arguments)
        code = cli.main(list(arguments), prog_name=PROGRAM, obj=invocation, standalone_mode=False)
    except click.ClickException as error:
        say_error(*(without_keys(line, arguments) for line in _told(error)))
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
    """Refuse a file of authorities that does not answer: OpenSSL reads it while aiohttp is imported.

    Raises:
        SettingsError: it is no regular file, or does not answer.
    """
    named = environment.get(_AUTHORITIES_VARIABLE)
    if not named:
        return
    try:
        check_answers(Path(named))
    except FileError as error:
        told = f"{_AUTHORITIES_VARIABLE} is `{presentable(named, is_path=True)}`, but {error}."
        raise SettingsError((Mistake(fields=(), text=told),)) from None


def _check_characters(arguments: Sequence[str]) -> None:
    """Refuse arguments that no system passes on, so that nothing behind them meets such a text.

    Raises:
        UsageError: for the first of them.
    """
    for position, argument in enumerate(arguments, 1):
        if "\0" in argument or not _has_bytes(argument):
            raise click.UsageError(f"argument {position} holds characters that no argument can hold: {argument!r}")


def _has_bytes(argument: str) -> bool:
    try:
        os.fsencode(argument)
    except UnicodeEncodeError:
        return False
    return True


def _told(error: click.ClickException) -> Iterator[str]:
    """Return a mistake as lines: those of the program's own texts, and one for the mistake itself."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        yield from error.format_message().split("\n")
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        yield from error.ctx.get_usage().split("\n")
        yield f"Try '{error.ctx.command_path} {error.ctx.help_option_names[0]}' for help."
        yield ""
    text = error.format_message()
    if isinstance(error, click.MissingParameter):
        text = " ".join(text.split())  # click lists what may be chosen a line each
    yield f"Error: {text}"


def _without_output(lost: OutputLostError) -> int:
    give_up(sys.stdout)
    if not lost.reader_has_gone:  # which is no fault
        say_error(str(lost))
    return ExitCode.FAILED


def _prepare_streams() -> None:
    """Let every character be printed somehow, and standard streams that the caller has closed lead nowhere.

    A socket would take the place of a closed one.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 -- for the rest of the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _comes_of_click_printing(error: OSError) -> bool:
    """Return whether it was help or the version that could not be printed, which click does by itself."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    name: str = innermost.f_globals["__name__"]
    return name == "click.utils"
