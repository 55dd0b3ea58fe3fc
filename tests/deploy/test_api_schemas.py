from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

SCALED_OBJECT: dict[str, Any] = {
    "apiVersion": "keda.sh/v1alpha1",
    "kind": "ScaledObject",
    "metadata": {"name": "a"},
    "spec": {"scaleTargetRef": {"name": "a"}, "triggers": [{"type": "kafka", "metadata": {"lagThreshold": "5"}}]},
}
MONITOR: dict[str, Any] = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "ServiceMonitor",
    "metadata": {"name": "a"},
    "spec": {"selector": {}, "endpoints": [{"port": "metrics"}]},
}
BUDGET: dict[str, Any] = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "a"},
    "spec": {"maxUnavailable": "25%", "selector": {"matchLabels": {"a": "b"}}},
}
SCALER: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "a"},
    "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}},
}
VALID = (SCALED_OBJECT, MONITOR, BUDGET, SCALER)


@pytest.mark.parametrize("manifest", VALID, ids=lambda manifest: manifest["kind"])
def test_what_is_right_passes(kubeconform: list[str], manifest: object) -> None:
    run = _check(kubeconform, manifest)
    assert (run.returncode, "Valid: 1, Invalid: 0, Errors: 0, Skipped: 0" in run.stdout) == (0, True)


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        ({**SCALED_OBJECT, "spec": {**SCALED_OBJECT["spec"], "maxReplica": 3}}, "'maxReplica' not allowed"),
        ({**MONITOR, "spec": {"selector": {}, "endpoints": [{"prot": "metrics"}]}}, "'prot' not allowed"),
        ({**BUDGET, "spec": {"maxUnavailabel": 1}}, "'maxUnavailabel' not allowed"),
        ({**SCALER, "spec": {**SCALER["spec"], "maxReplicas": "3"}}, "got string, want integer"),
        ({**SCALER, "kind": "Unheard"}, "could not find schema for Unheard"),
    ],
)
def test_what_is_wrong_is_told(kubeconform: list[str], manifest: object, complaint: str) -> None:
    run = _check(kubeconform, manifest)
    assert (run.returncode, complaint in run.stdout) == (1, True)


def _check(command: list[str], manifest: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, "-"], input=json.dumps(manifest), capture_output=True, text=True, timeout=60, check=False
    )
