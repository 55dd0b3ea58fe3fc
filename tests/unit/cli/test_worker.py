from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import ExitCode, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("logs_put_back")

KAFKA = {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
SEGMENT = {"PIPELINE_SEGMENT_WRITE_KEY": "x" * 32}


def test_worker_all_needs_a_port_for_each_role(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", "all"], {**KAFKA, **SEGMENT, "PIPELINE_HTTP_PORT": "65535"}) == ExitCode.MISTAKE
    assert capsys.readouterr().err == "PIPELINE_HTTP_PORT is `65535`: `worker all` needs 2 ports from there on.\n"


@pytest.mark.parametrize("role", ["processor", "all"])
def test_a_broken_rules_file_keeps_a_worker_from_starting(
    role: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n  - when: {action: snet}\n    then: dropp\n", encoding="utf-8")
    assert run(["worker", role], {**KAFKA, **SEGMENT, "PIPELINE_RULES_FILE": str(path)}) == ExitCode.MISTAKE
    assert len(capsys.readouterr().err.splitlines()) == 2
