from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import ExitCode, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("logs_put_back")


@pytest.mark.parametrize("command", ["create", "check"])
def test_an_absent_broker_fails_with_what_to_check(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    assert run(["topics", command], environment) == ExitCode.FAILED
    told = capsys.readouterr().err
    assert "127.0.0.1:1" in told
    assert "check PIPELINE_KAFKA_BOOTSTRAP_SERVERS" in told


def test_a_certificate_that_is_none_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("hello", encoding="utf-8")
    environment = {
        "PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "PIPELINE_KAFKA_SECURITY_PROTOCOL": "SSL",
        "PIPELINE_KAFKA_SSL_CA_FILE": str(path),
    }
    assert run(["topics", "check"], environment) == ExitCode.MISTAKE
    told = capsys.readouterr().err
    assert told == f"PIPELINE_KAFKA_SSL_CA_FILE is `{path}`: the file holds no certificate in PEM.\n"


@pytest.mark.parametrize("command", [("settings",), ("schemas", "check"), ("worker", "segment-sink")])
def test_a_registrys_certificate_that_is_none_is_a_mistake(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("hello", encoding="utf-8")
    environment = {
        "PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "PIPELINE_SEGMENT_WRITE_KEY": "a" * 32,
        "PIPELINE_SCHEMA_REGISTRY_URL": "https://127.0.0.1:1",
        "PIPELINE_SCHEMA_REGISTRY_CA_FILE": str(path),
    }
    assert run(command, environment) == ExitCode.MISTAKE
    told = capsys.readouterr().err
    assert told == f"PIPELINE_SCHEMA_REGISTRY_CA_FILE is `{path}`: the file holds no certificate in PEM.\n"
