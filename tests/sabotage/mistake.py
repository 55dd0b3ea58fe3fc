"""One mistake in the code, and the tests that must fail under it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """Replaces `old`, which occurs exactly once in `file`, by `new`. Each of `tests` must fail then.

    `file` is a path below `pipeline/`. A test is given by its node id below `tests/`; if it has parameters, one failing
    case is enough.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def node_ids(self) -> tuple[str, ...]:
        return tuple(f"tests/{test}" for test in self.tests)

    def applied(self) -> Altered:
        """Return the file with the mistake.

        Raises:
            LookupError: `old` does not occur in the file exactly once.
        """
        text = path_of(self.file).read_text(encoding="utf-8")
        if (count := text.count(self.old)) != 1:
            raise LookupError(f"`{self.old}` occurs {count} times in pipeline/{self.file}, not once")
        return Altered(file=self.file, text=text.replace(self.old, self.new))


@dataclass(frozen=True, slots=True, kw_only=True)
class Altered:
    """A file below `pipeline/` with another text than its own."""

    file: str
    text: str

    @property
    def module(self) -> str:
        return "pipeline." + self.file.removesuffix(".py").replace("/", ".")

    def import_from_now_on(self) -> None:
        """Import the module with this text from now on, without changing the file.

        Raises:
            RuntimeError: it is imported already.
        """
        if self.module in sys.modules:
            raise RuntimeError(f"{self.module} is imported already")
        sys.meta_path.insert(0, _AlteredImport(self))


def path_of(file: str) -> Path:
    """Return the path of a file below `pipeline/`."""
    return ROOT / "pipeline" / file


class _AlteredImport(MetaPathFinder):
    def __init__(self, altered: Altered) -> None:
        self._module = altered.module
        self._loader = _Loader(altered.module, str(path_of(altered.file)), altered.text)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import the module; None for every other module."""
        del path, target
        return spec_from_loader(fullname, self._loader) if fullname == self._module else None


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, text: str) -> None:
        super().__init__(fullname, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        """Compile the text; a cached compilation would be that of the file."""
        del fullname
        return compile(self._text, self.path, "exec", dont_inherit=True)
