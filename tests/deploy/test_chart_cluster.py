"""The chart in a real Kubernetes API, in a namespace that enforces the restricted Pod Security standard.

No container runs here (see `cluster`), so that a pod becomes ready says that Kubernetes took it as it is.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.deploy.cluster import NODE, ClusterError
from tests.deploy.rendering import EVERYTHING, EXAMPLES, LEAST, RELEASE
from tests.write_chart_schema import CHART

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.deploy.cluster import Cluster
    from tests.deploy.rendering import Chart

WAIT: Final = ("--wait", "--timeout", "90s")
QUICK: Final = ("--set", "componentDefaults.rollout.minReadySeconds=0")
PROCESSOR: Final = f"{RELEASE}-onesignal-pipeline-processor"
SINK: Final = f"{RELEASE}-onesignal-pipeline-segment-sink"
KINDS: Final = (
    "deployments,jobs,pods,configmaps,serviceaccounts,poddisruptionbudgets,horizontalpodautoscalers,networkpolicies,"
    "podmonitors,prometheusrules,scaledobjects,triggerauthentications"
)
NUMBERS: Final = count()
RENDERED: Final = pytest.mark.parametrize("values", [LEAST, EVERYTHING, *EXAMPLES], ids=lambda path: path.stem)


class Namespace:
    """A namespace of one test, which enforces the restricted standard."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})

    def helm(self, command: str, *arguments: str) -> str:
        return self.cluster.helm(command, *arguments, "--namespace", self.name)

    def install(self, values: Path, *options: str, release: str = RELEASE, command: str = "install") -> str:
        return self.helm(command, release, str(CHART), "--values", str(values), *QUICK, *WAIT, *options)

    def get(self, kinds: str, *options: str) -> list[dict[str, Any]]:
        text = self.cluster.kubectl("get", kinds, "--namespace", self.name, "-o", "json", *options)
        found: list[dict[str, Any]] = json.loads(text)["items"]
        return found

    def names(self, kinds: str) -> set[str]:
        """Names of what is there, but for what Kubernetes puts into every namespace."""
        every = {"serviceaccount/default", "configmap/kube-root-ca.crt"}
        found = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in self.get(kinds)}
        return found - every

    def deployment(self, name: str) -> dict[str, Any]:
        (found,) = [each for each in self.get("deployments") if each["metadata"]["name"] == name]
        return found

    def ready_pods(self, component: str) -> list[dict[str, Any]]:
        pods = self.get("pods", "-l", f"app.kubernetes.io/component={component}")
        return [
            pod
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and {"type": "Ready", "status": "True"}.items()
            <= next(each for each in pod["status"]["conditions"] if each["type"] == "Ready").items()
        ]

    def wait(self, name: str, status: str, value: int) -> None:
        """Wait until the status of an object says so: controllers reckon in their own time."""
        condition = f"--for=jsonpath={{.status.{status}}}={value}"
        self.cluster.kubectl("wait", condition, name, "--namespace", self.name, "--timeout=60s")

    def hold(self, component: str) -> list[str]:
        """Make every pod of a component not ready, as `/readyz` would during a hold; return their names."""
        names = [pod["metadata"]["name"] for pod in self.ready_pods(component)]
        ready = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
        for name in names:
            patch = json.dumps({"status": {"conditions": [ready, {**ready, "type": "ContainersReady"}]}})
            options = ("--subresource=status", "--type=strategic", "--patch", patch, "--namespace", self.name)
            self.cluster.kubectl("patch", "pod", name, *options)
        return names

    def evict(self, name: str) -> None:
        """Request a pod's eviction, as a drain of its node does."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": self.name}}
        path = f"/api/v1/namespaces/{self.name}/pods/{name}/eviction"
        self.cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))

    def variable(self, component: str, name: str) -> set[str]:
        """The values that a variable has in the pods of a component."""
        pods = self.ready_pods(component)
        variables = [each for pod in pods for each in pod["spec"]["containers"][0]["env"]]
        return {each["value"] for each in variables if each["name"] == name}


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    made = Namespace(cluster, f"chart-{next(NUMBERS)}")
    yield made
    cluster.kubectl("delete", "namespace", made.name, "--wait=false")


@RENDERED
def test_the_server_knows_every_field_that_is_rendered(chart: Chart, namespace: Namespace, values: Path) -> None:
    manifests = chart.render(values, namespace=namespace.name)
    options = ("--dry-run=server", "--validate=strict", "--namespace", namespace.name, "-f", "-")
    told = namespace.cluster.kubectl("apply", *options, stdin=manifests.text)
    assert told.count("(server dry run)") == len(manifests.objects)


def test_a_field_that_the_server_does_not_know_would_be_refused(chart: Chart, namespace: Namespace) -> None:
    text = chart.render(LEAST, namespace=namespace.name).text.replace(
        "readOnlyRootFilesystem:", "readOnlyRootFileSystem:"
    )
    options = ("--dry-run=server", "--validate=strict", "--namespace", namespace.name, "-f", "-")
    with pytest.raises(ClusterError, match="unknown field"):
        namespace.cluster.kubectl("apply", *options, stdin=text)


@RENDERED
def test_it_is_installed_waited_for_and_uninstalled_without_a_trace(namespace: Namespace, values: Path) -> None:
    told = namespace.install(values)
    assert "What to check next" in told
    for component, name in (("processor", PROCESSOR), ("segment-sink", SINK)):
        assert len(namespace.ready_pods(component)) >= 1
        available = {"type": "Available", "status": "True"}.items()
        assert any(available <= each.items() for each in namespace.deployment(name)["status"]["conditions"])
    assert not {name for name in namespace.names(KINDS) if name.endswith("-topics")}, "hooks are tidied up"
    namespace.helm("uninstall", RELEASE, *WAIT)
    assert {name for name in namespace.names(KINDS) if not name.startswith("pod/")} == set()


def test_upgrade_replaces_pods_and_rollback_brings_the_old_ones_back(namespace: Namespace) -> None:
    namespace.install(LEAST)
    namespace.install(LEAST, "--set", "topics.raw=other", command="upgrade")
    assert namespace.variable("processor", "PIPELINE_RAW_TOPIC") == {"other"}
    namespace.helm("rollback", RELEASE, "1", *WAIT)
    assert namespace.variable("processor", "PIPELINE_RAW_TOPIC") == {"onesignal.events"}
    assert len(namespace.ready_pods("processor")) == 2


def test_an_upgrade_of_the_rules_changes_the_config_map_and_no_pod(namespace: Namespace) -> None:
    def pods() -> set[str]:
        return {pod["metadata"]["uid"] for pod in namespace.ready_pods("processor")}

    def rules() -> str:
        (found,) = [each for each in namespace.get("configmaps") if each["metadata"]["name"].endswith("-rules")]
        text: str = found["data"]["rules.yaml"]
        return text

    namespace.install(LEAST, "--set-json", 'rules.document={"rules": []}')
    before = pods()
    namespace.install(LEAST, "--set-json", 'rules.document={"rules": [], "default": "drop"}', command="upgrade")
    assert "default: drop" in rules()
    assert pods() == before
    namespace.helm("rollback", RELEASE, "1", *WAIT)
    assert "default" not in rules()
    assert pods() == before


def test_a_topics_job_that_fails_leaves_the_release_alone_and_its_trace(namespace: Namespace) -> None:
    namespace.install(LEAST)
    before = namespace.names("deployments,pods")
    # Nothing of this size can be scheduled, so that the Job is given up.
    options = ("--set", "topics.job.activeDeadlineSeconds=2", "--set", "topics.raw=other")
    huge = ("--set", "topics.job.resources.requests.memory=900G", "--set", "topics.job.resources.limits.memory=900G")
    with pytest.raises(ClusterError, match="pre-upgrade"):
        namespace.install(LEAST, *options, *huge, command="upgrade")
    assert namespace.names("jobs") == {f"job/{RELEASE}-onesignal-pipeline-topics"}
    assert namespace.names("deployments,pods") >= before
    assert namespace.variable("processor", "PIPELINE_RAW_TOPIC") == {"onesignal.events"}
    namespace.install(LEAST, command="upgrade")
    assert namespace.names("jobs") == set()


@pytest.fixture
def tainted(cluster: Cluster) -> Iterator[dict[str, str]]:
    """Taint the only node; give the toleration."""
    taint = {"key": "streams", "value": "only", "effect": "NoSchedule"}
    cluster.kubectl("taint", "node", NODE, "streams=only:NoSchedule")
    yield taint
    cluster.kubectl("taint", "node", NODE, "streams-")


def test_what_workers_tolerate_the_topics_job_tolerates_too(namespace: Namespace, tainted: dict[str, str]) -> None:
    namespace.install(LEAST, "--set-json", f"componentDefaults.tolerations={json.dumps([tainted])}")
    assert len(namespace.ready_pods("processor")) == 2


def test_two_releases_in_one_namespace_leave_each_other_alone(namespace: Namespace) -> None:
    namespace.install(LEAST)
    namespace.install(LEAST, "--set", "components.processor.replicas=1", release="other")
    assert len(namespace.ready_pods("processor")) == 3
    namespace.wait("poddisruptionbudget/other-onesignal-pipeline-processor", "expectedPods", 1)
    namespace.helm("uninstall", "other", *WAIT)
    assert len(namespace.ready_pods("processor")) == 2
    assert namespace.deployment(PROCESSOR)["status"]["readyReplicas"] == 2


def test_budgets_and_scalers_find_their_pods(namespace: Namespace) -> None:
    namespace.install(LEAST, "--set", "components.segmentSink.autoscaling.hpa.enabled=true")
    namespace.wait(f"horizontalpodautoscaler/{SINK}", "currentReplicas", 2)
    for budget in (PROCESSOR, SINK):
        namespace.wait(f"poddisruptionbudget/{budget}", "expectedPods", 2)
        namespace.wait(f"poddisruptionbudget/{budget}", "disruptionsAllowed", 1)
    events = [event["reason"] for event in namespace.get("events")]
    assert "AmbiguousSelector" not in events


@pytest.fixture
def full(namespace: Namespace) -> Iterator[Callable[[], None]]:
    """Yield a function that cordons the node, as a drain does first."""
    yield lambda: print(namespace.cluster.kubectl("cordon", NODE))
    namespace.cluster.kubectl("uncordon", NODE)


def test_a_drain_takes_one_worker_at_a_time(namespace: Namespace, full: Callable[[], None]) -> None:
    namespace.install(LEAST, "--set", "components.segmentSink.replicas=3")
    namespace.wait(f"poddisruptionbudget/{SINK}", "disruptionsAllowed", 1)
    first, second, _ = (pod["metadata"]["name"] for pod in namespace.ready_pods("segment-sink"))
    full()
    namespace.evict(first)
    with pytest.raises(ClusterError, match="disruption budget"):
        namespace.evict(second)


def test_workers_that_hold_never_keep_a_node_from_being_drained(namespace: Namespace, full: Callable[[], None]) -> None:
    namespace.install(LEAST, "--set", "components.segmentSink.replicas=3")
    full()
    for name in namespace.hold("segment-sink"):
        namespace.evict(name)


def test_an_upgrade_comes_through_though_every_worker_holds(namespace: Namespace) -> None:
    namespace.install(LEAST, "--set", "components.segmentSink.replicas=3")
    held = namespace.hold("segment-sink")
    assert namespace.ready_pods("segment-sink") == []
    namespace.install(LEAST, "--set", "components.segmentSink.replicas=3,segment.region=eu", command="upgrade")
    ready = {pod["metadata"]["name"] for pod in namespace.ready_pods("segment-sink")}
    assert len(ready) == 3
    assert ready.isdisjoint(held)
    assert namespace.variable("segment-sink", "PIPELINE_SEGMENT_REGION") == {"eu"}


def test_pods_that_are_not_restricted_would_be_refused_here(chart: Chart, namespace: Namespace) -> None:
    pod = {**chart.render(LEAST).pods()["processor"], "securityContext": {}, "serviceAccountName": "default"}
    named = {"name": "loose", "namespace": namespace.name}
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        namespace.cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": pod})


def test_wrong_values_reach_no_server(namespace: Namespace) -> None:
    with pytest.raises(ClusterError, match="up to 13 workers for 12 partitions"):
        namespace.install(LEAST, "--set", "components.processor.replicas=13")
    with pytest.raises(ClusterError, match="additional properties 'replica' not allowed"):
        namespace.install(LEAST, "--set", "components.processor.replica=2")
    assert namespace.names(KINDS) == set()
