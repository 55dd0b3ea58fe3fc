"""The tools that are built out of Go modules, each pinned by its own go.mod and go.sum in `tools/`.

To pin another version: change it in the go.mod, run ``go mod tidy`` beside it, and commit both files.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.deploy.workshop import Workshop

PINS: Final = Path(__file__).parent / "tools"

# What becomes of a node and of Pods without a kubelet: both are ready at once, and the Pods of a Job are done.
KWOK_STAGES: Final = (
    "node/fast/node-initialize",
    "node/heartbeat-with-lease/node-heartbeat-with-lease",
    "pod/fast/pod-ready",
    "pod/fast/pod-complete",
    "pod/fast/pod-delete",
)

_BUILD: Final = ("build", "-trimpath")


@dataclass(frozen=True, slots=True, kw_only=True)
class GoModule:
    """The source that is pinned in `tools/<name>`, and in which of its folders its programs are, by their names.

    ``disk_gigabytes`` is what Go's caches grow by while it is built behind the others: 8.6 in all, measured.
    ``files`` are copied out of the source as they are. ``told_version`` is the package whose variables tell a program
    its version.
    """

    name: str
    source: str
    programs: Mapping[str, str]
    disk_gigabytes: float
    files: tuple[str, ...] = ()
    told_version: str = ""

    @property
    def pins(self) -> Path:
        """The folder with go.mod and go.sum."""
        return PINS / self.name

    @property
    def digest(self) -> str:
        """Return what is other when another program would be built."""
        digest = hashlib.sha256(" ".join((*_BUILD, self._linker_flags(), *self.files)).encode())
        for name in ("go.mod", "go.sum"):
            digest.update((self.pins / name).read_bytes())
        return digest.hexdigest()

    @property
    def version(self) -> str:
        """The version that the go.mod names."""
        pattern = rf"^(?:require |\t){re.escape(self.source)} (v\S+)"
        match = re.search(pattern, (self.pins / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
        assert match is not None, f"{self.pins}/go.mod does not name {self.source}"
        return match[1]

    def make_program(self, program: str, workshop: Workshop, directory: Path) -> None:
        """Build one program into ``directory``.

        Raises:
            ToolsError: Go fails.
        """
        output = str(directory / program)
        flags = f"-ldflags={self._linker_flags()}"
        package = f"{self.source}/{self.programs[program]}".rstrip("/")
        workshop.go(*_BUILD, flags, "-o", output, package, cwd=self.pins)

    def copy_files(self, workshop: Workshop, directory: Path) -> None:
        """Copy the files into ``directory``.

        Raises:
            ToolsError: Go fails.
        """
        if self.files:
            source = Path(workshop.go("list", "-m", "-f", "{{.Dir}}", self.source, cwd=self.pins).strip())
            for name in self.files:
                shutil.copyfile(source / name, directory / Path(name).name)

    def _linker_flags(self) -> str:
        if not self.told_version:
            return "-s -w"
        major, minor, _patch = self.version.removeprefix("v").split(".")
        told = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor}
        return " ".join(("-s -w", *(f"-X {self.told_version}.{name}={value}" for name, value in told.items())))


# What is quick comes first.
GO_MODULES: Final = (
    GoModule(
        name="kubeconform",
        source="github.com/yannh/kubeconform",
        programs={"kubeconform": "cmd/kubeconform"},
        disk_gigabytes=0.5,
    ),
    GoModule(
        name="helm-docs",
        source="github.com/norwoodj/helm-docs",
        programs={"helm-docs": "cmd/helm-docs"},
        disk_gigabytes=0.5,
    ),
    GoModule(name="helm", source="helm.sh/helm/v4", programs={"helm": "cmd/helm"}, disk_gigabytes=2),
    GoModule(
        name="helm-unittest",
        source="github.com/helm-unittest/helm-unittest",
        programs={"helm-unittest": "cmd/helm-unittest"},
        disk_gigabytes=1.5,
    ),
    GoModule(name="etcd", source="go.etcd.io/etcd/server/v3", programs={"etcd": ""}, disk_gigabytes=1),
    GoModule(
        name="kwok",
        source="sigs.k8s.io/kwok",
        programs={"kwok": "cmd/kwok"},
        files=tuple(f"kustomize/stage/{stage}.yaml" for stage in KWOK_STAGES),
        disk_gigabytes=1.5,
    ),
    GoModule(
        name="kubernetes",
        source="k8s.io/kubernetes",
        programs={
            program: f"cmd/{program}"
            for program in ("kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
        },
        disk_gigabytes=4,
        told_version="k8s.io/component-base/version",
    ),
    GoModule(
        name="docker-compose",
        source="github.com/docker/compose/v2",
        programs={"docker-compose": "cmd"},
        disk_gigabytes=1,
    ),
)
