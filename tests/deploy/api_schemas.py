"""JSON schemas of Kubernetes' own resources and of the custom ones in the chart, for a check without network."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.deploy.go_tools import PINS
from tests.deploy.workshop import run

if TYPE_CHECKING:
    from tests.deploy.workshop import Workshop

KUBERNETES: Final = "1.36.0"

_REQUIREMENTS: Final = PINS / "schemas" / "requirements.txt"
_CONVERTER: Final = "github.com/yannh/kubeconform"
_CONVERT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Definitions:
    """Files with definitions of custom resources in a Go module, which nothing is built of."""

    module: str
    version: str
    checksum: str
    files: tuple[str, ...]


_DEFINITIONS: Final = (
    _Definitions(
        module="github.com/prometheus-operator/prometheus-operator",
        version="v0.85.0",
        checksum="h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        files=tuple(
            f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
            for kind in ("podmonitors", "prometheusrules", "servicemonitors")
        ),
    ),
    _Definitions(
        module="github.com/kedacore/keda/v2",
        version="v2.21.0",
        checksum="h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        files=tuple(f"config/crd/bases/keda.sh_{kind}.yaml" for kind in ("scaledobjects", "triggerauthentications")),
    ),
)


class ApiSchemas:
    """What `kubeconform` reads (``kubernetes/``, ``custom/``), and what a cluster is told (``definitions/``)."""

    name: Final = "schemas"
    disk_gigabytes: Final = 0.5

    @property
    def digest(self) -> str:
        """Return what is other when other schemas would be made."""
        return hashlib.sha256(Path(__file__).read_bytes() + _REQUIREMENTS.read_bytes()).hexdigest()

    def make(self, workshop: Workshop, directory: Path) -> None:
        """Write the schemas.

        Raises:
            ToolsError: something could not be fetched or converted.
        """
        self._write_kubernetes(workshop, directory / "kubernetes")
        definitions, custom = directory / "definitions", directory / "custom"
        definitions.mkdir()
        custom.mkdir()
        for source in _DEFINITIONS:
            module = workshop.module(source.module, source.version, source.checksum)
            for name in source.files:
                shutil.copyfile(module / name, definitions / Path(name).name)
        version, checksum = _converter_pin()
        converter = workshop.module(_CONVERTER, version, checksum) / "scripts" / "openapi2jsonschema.py"
        run(
            [sys.executable, str(converter), *(str(path) for path in sorted(definitions.iterdir()))],
            cwd=custom,
            environment={"FILENAME_FORMAT": "{kind}-{group}-{version}"},
            seconds=_CONVERT_SECONDS,
        )

    def _write_kubernetes(self, workshop: Workshop, directory: Path) -> None:
        package = workshop.package(_REQUIREMENTS, "kubernetes-validate")
        directory.mkdir()
        schemas = package / "kubernetes_validate" / "kubernetes-json-schema" / f"v{KUBERNETES}-local-strict"
        for path in schemas.glob("*.json"):
            # With its `$id`, a schema's references would be looked for in the network.
            schema = json.loads(path.read_text().replace('"/api/_definitions.json#', '"_definitions.json#'))
            schema.pop("$id", None)
            (directory / path.name).write_text(json.dumps(schema))


def _converter_pin() -> tuple[str, str]:
    for line in (PINS / "kubeconform" / "go.sum").read_text().splitlines():
        path, version, checksum = line.split()
        if path == _CONVERTER and not version.endswith("/go.mod"):
            return version, checksum
    raise AssertionError(f"go.sum does not name {_CONVERTER}")
