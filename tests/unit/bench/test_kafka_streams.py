from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.kafka_streams.program import compile_program, missing_programs

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_without_maven_and_java_there_is_no_such_contestant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_programs() == ["java", "javac", "mvn"]
    assert compile_program(tmp_path / "classes") is None
