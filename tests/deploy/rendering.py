"""The chart as Helm renders it: manifests, or Helm's word on why there are none."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.write_chart_schema import CHART

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES: Final = tuple(sorted((CHART / "examples").glob("*.yaml")))
LEAST: Final = CHART / "tests" / "values" / "least.yaml"
EVERYTHING: Final = Path(__file__).parent / "values" / "everything.yaml"
RELEASE: Final = "pipeline"
_SECONDS: Final = 60


class RefusedError(Exception):
    """Helm refuses the values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """What Helm would send to Kubernetes."""

    text: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """All of it, hooks included."""
        return [each for each in yaml.load_all(self.text, Loader=yaml.CSafeLoader) if each]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of one kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def component(self, kind: str, component: str) -> dict[str, Any]:
        """Return the one object of this kind that belongs to a component."""
        label = "app.kubernetes.io/component"
        (found,) = [each for each in self.of_kind(kind) if each["metadata"]["labels"].get(label) == component]
        return found

    def pods(self) -> dict[str, dict[str, Any]]:
        """Return the specification of every pod, by its component."""
        owners = [*self.of_kind("Deployment"), *self.of_kind("Job")]
        specs = (owner["spec"]["template"]["spec"] for owner in owners)
        return {spec["containers"][0]["name"]: spec for spec in specs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart in a folder, and the Helm that renders it."""

    helm: Path
    folder: Path = CHART

    def render(
        self,
        *files: Path,
        values: Mapping[str, Any] | None = None,
        release: str = RELEASE,
        namespace: str = "default",
    ) -> Manifests:
        """Render with values files and, over them, values.

        Raises:
            RefusedError: with Helm's words.
        """
        target = (release, str(self.folder), "--namespace", namespace)
        done = self.run("template", *target, *_options(files), *_further(values))
        if done.returncode:
            raise RefusedError(done.stderr)
        return Manifests(text=done.stdout)

    def lint(self, *files: Path) -> subprocess.CompletedProcess[str]:
        """Let Helm look for faults, of which a warning is one."""
        return self.run("lint", "--strict", str(self.folder), *_options(files))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one Helm command."""
        command = [str(self.helm), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)


def _options(files: tuple[Path, ...]) -> list[str]:
    return [option for file in files for option in ("--values", str(file))]


def _further(values: Mapping[str, Any] | None) -> list[str]:
    return [
        option for name, value in (values or {}).items() for option in ("--set-json", f"{name}={json.dumps(value)}")
    ]
