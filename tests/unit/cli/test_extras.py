from __future__ import annotations

import sys

import pytest

from pipeline.cli.main import ExitCode, run

pytestmark = pytest.mark.usefixtures("logs_put_back")

KAFKA = {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
SEGMENT = {"PIPELINE_SEGMENT_WRITE_KEY": "x" * 32}
REGISTRY = {"PIPELINE_SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}
WHAT_IF = ("rules", "what-if", "keep-all")


def sentence(needed_by: str, extra: str, module: str) -> str:
    return (
        f"{needed_by} needs the extra `{extra}`, which is not installed (there is no module {module}): "
        f"pip install 'onesignal-pipeline[{extra}]'\n"
    )


@pytest.mark.parametrize(
    ("command", "extra", "module"),
    [
        (("demo", "--events", "1"), "demo", "confluent_kafka"),
        ((*WHAT_IF, "--from", "/dev/null"), "what-if", "datasketches"),
        (WHAT_IF, "what-if", "numpy"),
    ],
)
def test_a_command_whose_extra_is_missing_prints_one_sentence_and_exits_2(
    command: tuple[str, ...],
    extra: str,
    module: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert run(command, KAFKA) == ExitCode.MISTAKE
    name = " ".join(command[: 1 if extra == "demo" else 2])
    assert tuple(capsys.readouterr()) == ("", sentence(f"`{name}`", extra, module))


@pytest.mark.parametrize(
    "command",
    [
        ("worker", "processor"),
        ("worker", "segment-sink"),
        ("worker", "all"),
        ("schemas", "check"),
        ("schemas", "register"),
        WHAT_IF,
    ],
)
def test_a_command_that_would_read_a_registry_whose_client_is_missing_exits_2(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "authlib", None)
    assert run(command, {**KAFKA, **SEGMENT, **REGISTRY}) == ExitCode.MISTAKE
    assert tuple(capsys.readouterr()) == ("", sentence("PIPELINE_SCHEMA_REGISTRY_URL", "registry", "authlib"))


def test_a_missing_extra_is_listed_with_the_other_mistakes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "authlib", None)
    assert run(["worker", "processor"], REGISTRY) == ExitCode.MISTAKE
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == [
        "PIPELINE_KAFKA_BOOTSTRAP_SERVERS",
        "PIPELINE_SCHEMA_REGISTRY_URL",
    ]


@pytest.mark.parametrize("command", [("topics", "check"), ("worker", "processor"), WHAT_IF])
def test_without_a_registry_its_client_is_not_missed(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "authlib", None)
    environment = {**KAFKA, "PIPELINE_HTTP_PORT": "0", **(REGISTRY if command[0] == "topics" else {})}
    assert run(command, environment) == ExitCode.FAILED
    assert "127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("demo",), WHAT_IF[:2]])
def test_help_needs_no_extra(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("confluent_kafka", "datasketches", "numpy"):
        monkeypatch.setitem(sys.modules, module, None)
    assert run([*command, "--help"], {}) == ExitCode.DONE
    assert f"pip install 'onesignal-pipeline[{command[-1]}]'" in capsys.readouterr().out
