from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.runtime.memory_limit import memory_limit_bytes

if TYPE_CHECKING:
    from pathlib import Path


def test_the_limit_is_the_containers_of_either_version(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("2097152\n")
    assert memory_limit_bytes(cgroups=tmp_path) == 2_097_152
    (tmp_path / "memory.max").write_text("1048576\n")
    assert memory_limit_bytes(cgroups=tmp_path) == 1_048_576


def test_without_a_limit_it_is_the_memory_of_the_machine(tmp_path: Path) -> None:
    machine = memory_limit_bytes(cgroups=tmp_path)
    assert machine > 2**20
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_limit_bytes(cgroups=tmp_path) == machine
    (tmp_path / "memory.max").write_text(str(2**62))
    assert memory_limit_bytes(cgroups=tmp_path) == machine, "more than there is"
