"""The tools that check the chart, built once and kept outside any clone, beside the tests' Kafka.

``python -m tests.deploy.toolbox [NAME ...]`` builds what is missing and prints where everything is. A tool is built
again only when its pins change. Nothing is looked for on the path: what is pinned is what runs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.deploy.api_schemas import ApiSchemas
from tests.deploy.go_tools import GO_MODULES, PINS, GoModule
from tests.deploy.workshop import ToolsError, ToolsUnavailableError, Workshop
from tests.kafka_program import cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ToolsError", "ToolsUnavailableError", "crd_directory", "kubeconform", "kwok_stages", "prepare", "tool"]

PARTS: Final = {part.name: part for part in (*GO_MODULES, ApiSchemas())}
_OWNERS: Final = {program: module for module in GO_MODULES for program in module.programs}


def tools_directory() -> Path:
    """Return where the tools are kept."""
    return cache_directory() / "tools"


def tool(program: str) -> Path:
    """Return where a program is: helm, helm-docs, helm-unittest, kubeconform, kubectl, and a cluster's own.

    Raises:
        ToolsUnavailableError: it has not been built yet.
    """
    return _made(_OWNERS[program]) / program


def crd_directory() -> Path:
    """Return the folder with the definitions of the custom resources that a cluster must know.

    Raises:
        ToolsUnavailableError: it has not been made yet.
    """
    return _made(PARTS["schemas"]) / "definitions"


def kwok_stages() -> list[Path]:
    """Return the files that say what becomes of nodes and Pods without a kubelet.

    Raises:
        ToolsUnavailableError: they have not been fetched yet.
    """
    folder = _made(_OWNERS["kwok"])
    return [folder / Path(name).name for name in _OWNERS["kwok"].files]


def kubeconform() -> list[str]:
    """Return the command that checks manifests strictly and without network; a file, or ``-``, goes behind it.

    Raises:
        ToolsUnavailableError: it, or its schemas, have not been made yet.
    """
    schemas = _made(PARTS["schemas"])
    command = [str(tool("kubeconform")), "-strict", "-summary"]
    for folder in ("kubernetes", "custom"):
        command += ["-schema-location", f"{schemas / folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"]
    return command


def prepare(names: Sequence[str] = tuple(PARTS)) -> None:
    """Make what is missing of the parts with these names; one run at a time, the others wait for it.

    Raises:
        ToolsUnavailableError: the machine lacks Go, or room on its disk.
        ToolsError: a part cannot be made.
    """
    if not _missing(names):
        return
    tools_directory().mkdir(parents=True, exist_ok=True)
    with _alone(tools_directory() / ".lock"):
        missing = _missing(names)
        _check_room(missing)
        workshop = Workshop(tools_directory() / ".workshop", PINS / "go" / "requirements.txt")
        for part in missing:
            _make(part, workshop)
        workshop.clear()


def _folder(part: GoModule | ApiSchemas) -> Path:
    return tools_directory() / f"{part.name}-{part.digest[:16]}"


def _made(part: GoModule | ApiSchemas) -> Path:
    folder = _folder(part)
    if not folder.exists():
        raise ToolsUnavailableError(f"{part.name} has not been built yet: python -m tests.deploy.toolbox {part.name}")
    return folder


def _missing(names: Sequence[str]) -> list[GoModule | ApiSchemas]:
    return [part for name, part in PARTS.items() if name in names and not _folder(part).exists()]


def _check_room(missing: Sequence[GoModule | ApiSchemas]) -> None:
    needed = sum(part.disk_gigabytes for part in missing)
    free = shutil.disk_usage(tools_directory()).free / 1e9
    if free < needed:
        raise ToolsUnavailableError(
            f"to build the chart's tools takes {needed:g} GB for a while, and {tools_directory()} has {free:.1f} GB"
        )


def _make(part: GoModule | ApiSchemas, workshop: Workshop) -> None:
    directory = workshop.empty(f"made-{part.name}")
    match part:
        case GoModule():
            for program in part.programs:
                with _timed(f"{program} {part.version}", directory / program):
                    part.make_program(program, workshop, directory)
            part.copy_files(workshop, directory)
        case ApiSchemas():
            with _timed("schemas", directory):
                part.make(workshop, directory)
    directory.rename(_folder(part))


@contextmanager
def _timed(title: str, made: Path) -> Iterator[None]:
    _say(f"making {title} ...")
    started = time.monotonic()
    yield
    _say(f"made {title} in {time.monotonic() - started:.0f} s, {_megabytes(made):.0f} MB")


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another run is making tools; waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _megabytes(made: Path) -> float:
    files = [made] if made.is_file() else [path for path in made.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files) / 1e6


def _say(text: str) -> None:
    print(text, flush=True)


def main(names: Sequence[str]) -> int:
    """Make what is missing and print where it is."""
    if unknown := set(names) - set(PARTS):
        _say(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        return 2
    wanted = names or tuple(PARTS)
    try:
        prepare(wanted)
    except ToolsUnavailableError as error:
        _say(f"NOT RUN: {error}")
        return int(os.environ.get("CI", "").lower() == "true")
    except ToolsError as error:
        _say(str(error))
        return 1
    for name in wanted:
        folder = _folder(PARTS[name])
        _say(f"{_megabytes(folder):6.0f} MB  {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
