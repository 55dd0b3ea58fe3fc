"""Load two versions of the pure core into one process: a commit's and the working tree's."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

WORKING_TREE: Final = Path(__file__).parents[2]
_PACKAGE: Final = "pipeline"
_MODULES: Final = ("core.processing", "core.policy", "core.presets", "core.rules_file")
_BUILDERS: Final = "core.destinations.segment.builders"
_MESSAGE_IDS: Final = "core.destinations.segment.message_ids"
"""A version without this module builds records for Segment only."""


class VersionError(Exception):
    """A version cannot be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of the package, with its own modules."""

    root: Path
    modules: Mapping[str, ModuleType]

    def find(self, module: str, name: str, *default: object) -> Any:
        """Return what a module of this version defines, or a default: for example ``find("core.processing",
        "process")``.
        """
        return getattr(self.modules[f"{_PACKAGE}.{module}"], name, *default)

    def policy(self, **choices: Any) -> Any:
        """Return a policy of this version that builds records for Segment."""
        if self._takes_builders:
            choices["records"] = self.find(_BUILDERS, "SegmentRecords")()
        return self.find("core.policy", "Policy")(**choices)

    def message_id(self, event_id: str | None, value: bytes) -> str:
        """Return the message id that this version assigns to an event for Segment."""
        if f"{_PACKAGE}.{_MESSAGE_IDS}" in self.modules:
            own: str = self.find(_MESSAGE_IDS, "message_id_of")(event_id, value)
            return own
        limits = (100,) if self._takes_builders else ()
        found: str = self.find("core.message_ids", "message_id_of")(event_id, value, *limits)
        return found

    @property
    def _takes_builders(self) -> bool:
        return f"{_PACKAGE}.{_BUILDERS}" in self.modules


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """Extract a commit's package into a folder that exists within the block.

    Raises:
        VersionError: there is no such commit, or no git.
    """
    archive = _git("archive", "--format=tar", _commit_id(commit), _PACKAGE)
    with tempfile.TemporaryDirectory(prefix="onesignal-pipeline-before-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def load_version(root: Path) -> Version:
    """Load the package below a folder; modules imported before are not affected.

    Raises:
        VersionError: the package of another folder was found.
    """
    others = _taken_out()
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        for module in _MODULES:
            importlib.import_module(f"{_PACKAGE}.{module}")
        with suppress(ModuleNotFoundError):
            importlib.import_module(f"{_PACKAGE}.{_BUILDERS}")
    finally:
        sys.path.remove(str(root))
        modules = _taken_out()
        sys.modules.update(others)
    foreign = [name for name, module in modules.items() if not Path(module.__file__ or "").is_relative_to(root)]
    if foreign:
        raise VersionError(f"{foreign[0]} was not loaded from {root}")
    return Version(root=root, modules=modules)


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == _PACKAGE or name.startswith(f"{_PACKAGE}.")]
    return {name: sys.modules.pop(name) for name in names}


def _commit_id(commit: str) -> str:
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}").decode().strip()
    except VersionError as error:
        raise VersionError(f"git does not know the commit `{commit}`") from error


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(("git", "-C", str(WORKING_TREE), *arguments), capture_output=True, check=False)  # noqa: S607
    except FileNotFoundError as error:
        raise VersionError("git is not installed") from error
    if done.returncode:
        raise VersionError(done.stderr.decode(errors="replace").strip() or f"git {arguments[0]} failed")
    return done.stdout
