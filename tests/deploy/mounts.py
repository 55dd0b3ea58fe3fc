"""A pod's files and environment as its container would find them, laid out in a folder of this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Contents = dict[tuple[str, str], dict[str, str]]
"""What is stored in Secrets and ConfigMaps: by kind and name, the texts by their keys."""


@dataclass(slots=True, kw_only=True)
class ContainerView:
    """One container of a pod, seen from inside. `root` stands for `/`."""

    pod: Mapping[str, Any]
    contents: Contents
    root: Path
    writable: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Lay out the files, and return the environment with their paths under `root`."""
        mounts = {mount["mountPath"]: mount for mount in self._container["volumeMounts"]}
        for path, mount in mounts.items():
            assert "subPath" not in mount, "what is mounted so never changes"
            self._lay_out(path, self._volume(mount["name"]))
        return {name: self._here(value, mounts) for name, value in self._variables()}

    @property
    def _container(self) -> Mapping[str, Any]:
        (container,) = self.pod["containers"]
        found: Mapping[str, Any] = container
        return found

    def _variables(self) -> Iterator[tuple[str, str]]:
        names = [variable["name"] for variable in self._container["env"]]
        assert len(names) == len(set(names)), "Kubernetes refuses a variable that is set twice"
        for variable in self._container["env"]:
            if "value" in variable:
                assert isinstance(variable["value"], str), "Kubernetes refuses what is no text"
                yield variable["name"], variable["value"]
            else:
                reference = variable["valueFrom"]["secretKeyRef"]
                yield variable["name"], self.contents["secret", reference["name"]][reference["key"]]

    def _volume(self, name: str) -> Mapping[str, Any]:
        (volume,) = [each for each in self.pod["volumes"] if each["name"] == name]
        found: Mapping[str, Any] = volume
        return found

    def _lay_out(self, path: str, volume: Mapping[str, Any]) -> None:
        folder = self._inside(path)
        folder.mkdir(parents=True)
        if "emptyDir" in volume:
            self.writable.append(path)
            return
        sources = volume["projected"]["sources"] if "projected" in volume else [{"configMap": volume["configMap"]}]
        for source in sources:
            ((kind, reference),) = source.items()
            for item in reference["items"]:
                text = self.contents[kind, reference["name"]][item["key"]]
                (folder / item["path"]).write_text(text, encoding="utf-8")

    def _here(self, value: str, mounts: Mapping[str, object]) -> str:
        mounted = any(value == path or value.startswith(f"{path}/") for path in mounts)
        return str(self._inside(value)) if mounted else value

    def _inside(self, path: str) -> Path:
        return self.root / path.lstrip("/")
