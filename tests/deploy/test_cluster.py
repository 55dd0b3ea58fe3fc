from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.deploy import toolbox
from tests.deploy.cluster import NODE, Cluster, ClusterError
from tests.deploy.control_plane import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RESTRICTED: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "main",
            "image": "example.invalid/main:1",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}


@pytest.fixture(scope="module")
def restricted(cluster: Cluster) -> str:
    """Make a namespace that enforces the restricted Pod Security standard."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "restricted", "labels": labels}})
    return "restricted"


def test_the_node_is_ready(cluster: Cluster) -> None:
    (node,) = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    conditions = {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}
    assert (node["metadata"]["name"], conditions["Ready"]) == (NODE, "True")


def test_it_tells_the_version_that_is_pinned(cluster: Cluster) -> None:
    assert json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"] == "v1.36.3"


def test_the_custom_resources_of_the_chart_are_known(cluster: Cluster) -> None:
    names = cluster.kubectl("get", "crd", "-o", "jsonpath={.items[*].spec.names.kind}").split()
    assert sorted(names) == ["PodMonitor", "PrometheusRule", "ScaledObject", "ServiceMonitor", "TriggerAuthentication"]


def test_an_unknown_field_of_a_custom_resource_is_refused(cluster: Cluster) -> None:
    rules = {"groups": [{"name": "a", "rules": [{"alert": "A", "expr": "1", "forr": "5m"}]}]}
    with pytest.raises(ClusterError, match=r"\bforr\b.*(unknown|not declared)|unknown field .*\bforr\b"):
        cluster.apply(_object("monitoring.coreos.com/v1", "PrometheusRule", "misspelt", "default", rules))


def test_a_deployment_that_is_restricted_runs_where_that_is_enforced(cluster: Cluster, restricted: str) -> None:
    cluster.apply(_deployment("good", restricted, RESTRICTED))
    cluster.kubectl("rollout", "status", "deployment/good", "--namespace", restricted, "--timeout=60s")
    pods = json.loads(cluster.kubectl("get", "pods", "--namespace", restricted, "-o", "json"))["items"]
    assert [(pod["status"]["phase"], pod["spec"]["nodeName"]) for pod in pods] == [("Running", NODE)] * 2


def test_a_pod_that_may_be_root_is_refused_where_restricted_is_enforced(cluster: Cluster, restricted: str) -> None:
    pod = _object("v1", "Pod", "root", restricted, {"containers": RESTRICTED["containers"]})
    with pytest.raises(ClusterError, match='violates PodSecurity "restricted:latest": runAsNonRoot'):
        cluster.apply(pod)


def test_the_pod_of_a_job_completes(cluster: Cluster, restricted: str) -> None:
    template = {"spec": {**RESTRICTED, "restartPolicy": "Never"}}
    cluster.apply(_object("batch/v1", "Job", "once", restricted, {"template": template}))
    cluster.kubectl("wait", "--for=condition=Complete", "job/once", "--namespace", restricted, "--timeout=60s")


def test_helm_reaches_it(cluster: Cluster) -> None:
    assert json.loads(cluster.helm("list", "--namespace", "default", "-o", "json")) == []


def test_a_command_that_fails_tells_what_was_said(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r'kubectl get pod nobody failed:\n.*"nobody" not found'):
        cluster.kubectl("get", "pod", "nobody")


def test_it_listens_on_loopback_alone_and_leaves_neither_process_nor_file(
    tool: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(tool(program) for program in PROGRAMS)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Cluster() as cluster:
        processes = [psutil.Process(pid) for pid in cluster.pids]
        assert [process.name() for process in processes] == list(PROGRAMS)
        listening = [
            each.laddr.ip
            for process in processes
            for each in process.net_connections()
            if each.status == psutil.CONN_LISTEN
        ]
        assert (len(listening), set(listening)) == (6, {"127.0.0.1"})
    assert [process.is_running() for process in processes] == [False] * len(PROGRAMS)
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_ends_is_named_with_what_it_said_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, files = tmp_path / "programs", tmp_path / "files"
    programs.mkdir()
    files.mkdir()
    for name in ("kubectl", "helm", *PROGRAMS):
        does = "exec sleep 60" if name == "kube-apiserver" else f"echo {name} is broken; exit 1"
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setattr(toolbox, "tool", programs.joinpath)
    monkeypatch.setattr("tempfile.tempdir", str(files))
    with pytest.raises(ClusterError, match="etcd has ended:\netcd:\netcd is broken"):
        Cluster()
    assert list(files.iterdir()) == []


def _object(version: str, kind: str, name: str, namespace: str, spec: object) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _deployment(name: str, namespace: str, pod: object) -> dict[str, Any]:
    labels = {"app": name}
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return _object("apps/v1", "Deployment", name, namespace, spec)
