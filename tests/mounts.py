"""A file as Kubernetes mounts it from a Secret or a ConfigMap: an update replaces a symbolic link."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Mount:
    """`name` -> `..data/name`, and `..data` -> a separate folder for each version."""

    def __init__(self, folder: Path, name: str, text: str) -> None:
        self.path = folder / name
        self._folder = folder
        self._versions = 0
        self.swap(text)
        self.path.symlink_to(f"..data/{name}")

    def swap(self, text: str) -> None:
        """Point the link to a new folder with the new content, atomically."""
        self._versions += 1
        version = self._folder / f"..version-{self._versions}"
        version.mkdir()
        (version / self.path.name).write_text(text, encoding="utf-8")
        (self._folder / "..next").symlink_to(version.name)
        (self._folder / "..next").replace(self._folder / "..data")
