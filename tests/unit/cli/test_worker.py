from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import orjson
import pytest

from pipeline.cli.main import ExitCode, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("logs_put_back")

KAFKA = {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
SEGMENT = {"PIPELINE_SEGMENT_WRITE_KEY": "x" * 32}
MIXPANEL = {"PIPELINE_MIXPANEL_PROJECT_TOKEN": "0" * 32}


def test_worker_all_needs_a_port_for_each_role(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", "all"], {**KAFKA, **SEGMENT, "PIPELINE_HTTP_PORT": "65535"}) == ExitCode.MISTAKE
    assert capsys.readouterr().err == "PIPELINE_HTTP_PORT is `65535`: `worker all` needs 2 ports from there on.\n"


def test_worker_all_counts_the_ports_of_the_destinations_whose_credentials_are_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    both = {**KAFKA, **SEGMENT, **MIXPANEL, "PIPELINE_HTTP_PORT": "65533"}
    assert run(["worker", "all"], both) == ExitCode.MISTAKE
    assert capsys.readouterr().err == "PIPELINE_HTTP_PORT is `65533`: `worker all` needs 4 ports from there on.\n"
    assert run(["worker", "all"], {**KAFKA, **MIXPANEL, "PIPELINE_HTTP_PORT": "65535"}) == ExitCode.MISTAKE
    assert capsys.readouterr().err == "PIPELINE_HTTP_PORT is `65535`: `worker all` needs 2 ports from there on.\n"


def test_worker_all_needs_the_credentials_of_some_destination(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", "all"], KAFKA) == ExitCode.MISTAKE
    assert capsys.readouterr().err == (
        "`worker all` runs the destinations whose credentials are set, and none are: set one of "
        "PIPELINE_SEGMENT_WRITE_KEY, PIPELINE_MIXPANEL_PROJECT_TOKEN.\n"
    )


@pytest.mark.parametrize("role", ["segment-sink", "mixpanel-sink", "all"])
def test_only_a_processor_has_a_destination(role: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", role, "--destination", "mixpanel"], KAFKA) == ExitCode.MISTAKE
    assert "only `worker processor` has this option" in capsys.readouterr().err


def test_the_processor_of_a_destination_reads_that_destinations_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.yaml").write_text("rules: 1\n", encoding="utf-8")
    environment = {**KAFKA, "PIPELINE_RULES_FILE": "/nowhere", "PIPELINE_MIXPANEL_RULES_FILE": f"{tmp_path}/rules.yaml"}
    assert run(["worker", "processor", "--destination", "mixpanel"], environment) == ExitCode.MISTAKE
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == [
        "PIPELINE_RULES_FILE",
        f"{tmp_path}/rules.yaml:1:",
    ]


@pytest.mark.parametrize("role", ["processor", "all"])
def test_a_broken_rules_file_keeps_a_worker_from_starting(
    role: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n  - when: {action: snet}\n    then: dropp\n", encoding="utf-8")
    assert run(["worker", role], {**KAFKA, **SEGMENT, "PIPELINE_RULES_FILE": str(path)}) == ExitCode.MISTAKE
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("command", [("worker", "processor"), ("worker", "all"), ("settings",)])
def test_mistakes_in_settings_and_in_the_files_that_they_name_are_listed_together(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (
        ("rules.yaml", "rules:\n  - when: {action: snet}\n    then: keep\n"),
        ("names.yaml", "fax: Fax\n"),
        ("ca.pem", "none"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    environment = {
        "PIPELINE_SEGMENT_WRITE_KEY": "short",
        "PIPELINE_SEGMENT_ENDPOINT": "https://api.segment.io",
        "PIPELINE_KAFKA_SECURITY_PROTOCOL": "SSL",
        "PIPELINE_KAFKA_SSL_CA_FILE": str(tmp_path / "ca.pem"),
        "PIPELINE_RULES_FILE": str(tmp_path / "rules.yaml"),
        "PIPELINE_NAME_PROFILE": "custom",
        "PIPELINE_NAMES_FILE": str(tmp_path / "names.yaml"),
    }
    assert run(command, environment) == ExitCode.MISTAKE
    told = [line.split()[0] for line in capsys.readouterr().err.splitlines()]
    assert told == [
        "PIPELINE_SEGMENT_WRITE_KEY",
        "PIPELINE_SEGMENT_ENDPOINT",
        *(["PIPELINE_KAFKA_BOOTSTRAP_SERVERS"] if command[0] == "worker" else []),
        "PIPELINE_KAFKA_SSL_CA_FILE",
        f"{tmp_path}/rules.yaml:2:",
        f"{tmp_path}/names.yaml:1:",
    ]


def test_a_sink_does_not_read_the_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yaml").write_text("rules: 1\n", encoding="utf-8")
    environment = {**SEGMENT, "PIPELINE_RULES_FILE": str(tmp_path / "rules.yaml")}
    assert run(["worker", "segment-sink"], environment) == ExitCode.MISTAKE
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["PIPELINE_KAFKA_BOOTSTRAP_SERVERS"]


@pytest.mark.parametrize("command", [("segment", "check"), ("worker", "segment-sink"), ("worker", "all")])
@pytest.mark.parametrize("address", ["https://api.segment.io", "https://h:99999/v1", "https://a b/v1"])
def test_an_address_without_a_usable_host_port_or_path_is_one_clear_line(
    command: tuple[str, ...], address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, {**KAFKA, **SEGMENT, "PIPELINE_SEGMENT_ENDPOINT": address}) == ExitCode.MISTAKE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("PIPELINE_SEGMENT_ENDPOINT is `https://")


def test_a_folder_that_cannot_be_made_after_all_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    # The system reports to a user with all rights that /proc is writable, and then refuses.
    assert run(["worker", "segment-sink"], {**KAFKA, **SEGMENT, "PIPELINE_DATA_DIRECTORY": "/proc/onesignal/x"}) == 2
    assert capsys.readouterr().err.startswith("PIPELINE_DATA_DIRECTORY is `/proc/onesignal/x`, ")


def test_every_line_of_a_worker_names_its_role(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", "processor"], {**KAFKA, "PIPELINE_HTTP_PORT": "0"}) == ExitCode.FAILED
    lines = [orjson.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["message"].partition(":")[0] for line in lines] == [
        "neither PIPELINE_RULES_FILE nor PIPELINE_RULES_PRESET is set",
        "worker starts",
    ]
    assert {line["role"] for line in lines} == {"processor"}


def test_what_a_worker_imports_does_not_import_rich_which_stays_there_for_others() -> None:
    program = """
import sys
import pipeline.cli.main
from pipeline.cli.worker import import_structlog_alone
assert "structlog" not in sys.modules, "it is imported before it can be kept apart"
import_structlog_alone()
import pipeline.bootstrap
assert "rich" not in sys.modules
import rich.table
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
