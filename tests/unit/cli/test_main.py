from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from pipeline.cli.main import ExitCode, cli, run
from pipeline.core.mistakes import Mistake as RulesMistake
from pipeline.core.mistakes import RulesError
from pipeline.core.visible import visible
from pipeline.kafka.errors import KafkaUnreachableError, TopicsError
from pipeline.kafka.schema_registry import IncompatibleSchemaError
from pipeline.settings.mistakes import Mistake, SettingsError
from tests.hostile.terminal import EVERYTHING

pytestmark = pytest.mark.usefixtures("logs_put_back")


def _environment(**variables: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")} | variables


def _program(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = _environment(**variables)
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def _commands(group: click.Group, *path: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += _commands(command, *path, name)
    return found


@pytest.mark.parametrize("path", _commands(cli), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path, "--help"], {}) == ExitCode.DONE
    assert f"Usage: onesignal-pipeline {' '.join(path)}" in capsys.readouterr().out


def test_the_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"], {}) == ExitCode.DONE
    told = capsys.readouterr().out
    assert all(f"\n    {code.value:<5}" in told for code in ExitCode)
    assert "\n    128+n  ended by signal n: 143 by a second SIGTERM" in told


def test_without_a_command_the_help_is_shown_as_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([], {}) == ExitCode.MISTAKE
    captured = capsys.readouterr()
    assert "Commands:" in captured.err
    assert captured.out == ""


def test_an_unknown_command_is_a_mistake_told_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fly"], {}) == ExitCode.MISTAKE
    captured = capsys.readouterr()
    assert "No such command 'fly'" in captured.err
    assert captured.out == ""


def test_a_file_of_authorities_that_does_not_answer_is_a_mistake(tmp_path: Path) -> None:
    authorities = tmp_path / "authorities.pem"
    os.mkfifo(authorities)
    ended = _program("settings", SSL_CERT_FILE=str(authorities))
    assert (ended.returncode, ended.stdout) == (ExitCode.MISTAKE, "")
    assert ended.stderr == f"SSL_CERT_FILE is `{authorities}`, but it is a pipe, not a file.\n"


@pytest.mark.parametrize("name", ["", "/no/such/file", "\udc80", "x" * 5_000])
def test_a_file_of_authorities_that_is_not_there_is_left_to_who_needs_it(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["settings"], {"SSL_CERT_FILE": name}) == ExitCode.DONE
    assert "PIPELINE_HTTP_PORT" in capsys.readouterr().out


def test_mistakes_in_settings_are_all_told_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"PIPELINE_HTTP_PORT": "abc", "PIPELINE_LOGLEVEL": "x"}
    assert run(["worker", "segment-sink"], environment) == ExitCode.MISTAKE
    captured = capsys.readouterr()
    assert [line.split()[0] for line in captured.err.splitlines()] == [
        "PIPELINE_LOGLEVEL",
        "PIPELINE_HTTP_PORT",
        "PIPELINE_KAFKA_BOOTSTRAP_SERVERS",
        "PIPELINE_SEGMENT_WRITE_KEY",
    ]
    assert captured.out == ""


def test_the_program_tells_its_version() -> None:
    told = _program("--version")
    assert (told.returncode, told.stdout) == (0, f"onesignal-pipeline, version {version('onesignal-pipeline')}\n")


def test_the_program_reads_its_settings_from_the_environment() -> None:
    told = _program("settings", PIPELINE_HTTP_PORT="abc")
    assert told.returncode == ExitCode.MISTAKE
    assert told.stderr == "PIPELINE_HTTP_PORT is `abc`: give a whole number from 0 to 65535.\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_a_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell], {}) == ExitCode.DONE
    assert "_ONESIGNAL_PIPELINE_COMPLETE" in capsys.readouterr().out


def test_a_shell_is_told_what_may_come_next() -> None:
    words = {"COMP_WORDS": "onesignal-pipeline worker ", "COMP_CWORD": "2"}
    told = _program(_ONESIGNAL_PIPELINE_COMPLETE="bash_complete", **words)
    assert told.stdout.split() == [
        "plain,processor",
        "plain,segment-sink",
        "plain,mixpanel-sink",
        "plain,all",
    ]


def test_a_reader_that_goes_away_is_no_crash() -> None:
    command = [sys.executable, "-m", "pipeline", "settings", "--format", "markdown"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == ExitCode.FAILED


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("settings >&-", ExitCode.DONE),
        ("rules check no-such-file 2>&-", ExitCode.MISTAKE),
        ("rules explain keep-all - <&-", ExitCode.DONE),
        ("settings <&- >&- 2>&-", ExitCode.DONE),
    ],
)
def test_a_standard_stream_that_is_closed_leads_nowhere_and_is_no_crash(command: str, code: ExitCode) -> None:
    told = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m pipeline {command}', sys.executable],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (told.returncode, told.stderr) == (code, "")


def test_what_the_encoding_of_the_terminal_lacks_is_written_as_an_escape(tmp_path: Path) -> None:
    rules = tmp_path / "règles.yaml"
    rules.write_text("rules: []\n", encoding="utf-8")
    told = _program("rules", "check", str(rules), PYTHONIOENCODING="ascii")
    assert (told.returncode, told.stderr) == (ExitCode.DONE, "")
    assert "r\\xe8gles.yaml: 0 rules" in told.stdout


def test_mistakes_that_nobody_can_be_told_keep_their_exit_code() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "pipeline", "rules", "check", "absent"]
        assert subprocess.run(command, stderr=full, check=False, timeout=60).returncode == ExitCode.MISTAKE


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (SettingsError((Mistake(fields=(), text=EVERYTHING), Mistake(fields=(), text="b"))), ExitCode.MISTAKE, 2),
        (
            RulesError((RulesMistake(file=EVERYTHING, line=1, message=EVERYTHING, suggestion=EVERYTHING),)),
            ExitCode.MISTAKE,
            1,
        ),
        (TopicsError([EVERYTHING, EVERYTHING]), ExitCode.FAILED, 2),
        (KafkaUnreachableError(EVERYTHING, [EVERYTHING]), ExitCode.FAILED, 2),
        (IncompatibleSchemaError(EVERYTHING), ExitCode.FAILED, 1),
        (click.ClickException(EVERYTHING), ExitCode.FAILED, 1),
        (click.UsageError(EVERYTHING), ExitCode.MISTAKE, 1),
    ],
    ids=lambda each: type(each).__name__,
)
def test_no_mistake_steers_the_terminal_or_looks_like_two(
    error: Exception, code: ExitCode, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "main", fails)
    assert run([], {}) == code
    told = capsys.readouterr().err
    assert told.count("\n") == lines
    assert [each for each in told.split("\n") if each != visible(each)] == []
    assert visible(EVERYTHING) in told


@pytest.mark.parametrize(
    "key", ["-----BEGIN PRIVATE KEY-----\nMIIE=\n-----END", "-----BEGIN MIIE=", "a\nMIIE", "MIIE\n"]
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("rules", "check", "{}"),
        ("rules", "check", "--", "{}"),
        ("rules", "diff", "keep-all", "--", "{}"),
        ("rules", "what-if", "keep-all", "--from", "{}"),
        ("rules", "what-if", "keep-all", "--from={}"),
        ("rules", "what-if", "keep-all", "--{}"),
        ("rules", "what-if", "keep-all", "--price={}"),
        ("traffic", "--events", "{}"),
        ("worker", "--", "{}"),
        ("{}",),
        ("--", "{}\0"),
    ],
)
def test_a_key_pasted_in_place_of_an_argument_is_not_shown(
    arguments: tuple[str, ...], key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([each.format(key) for each in arguments], {}) == ExitCode.MISTAKE
    captured = capsys.readouterr()
    assert "MIIE" not in captured.out + captured.err
    assert "(not shown)" in captured.err


def test_names_and_values_of_settings_do_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    environment = {f"PIPELINE_{EVERYTHING}": "x", "PIPELINE_HTTP_PORT": EVERYTHING, "PIPELINE_RAW_TOPIC": EVERYTHING}
    assert run(["settings"], environment) == ExitCode.MISTAKE
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 3
    assert [each for each in told.split("\n") if each != visible(each)] == []


@pytest.mark.parametrize(
    "arguments", [("settings",), ("settings", "--format", "json"), ("rules", "check", "keep-all"), ("--help",)]
)
def test_a_full_disk_behind_standard_output_is_one_line_and_no_traceback(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        told = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            env=_environment(),
            text=True,
            check=False,
            timeout=60,
        )
    assert told.stderr == "Standard output cannot be written: No space left on device.\n"
    assert told.returncode == ExitCode.FAILED
