from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from tests.deploy.chart_readme import README, readme_text
from tests.deploy.rendering import EVERYTHING, EXAMPLES, LEAST
from tests.write_chart_schema import CHART

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.deploy.rendering import Chart

RENDERED: Final = pytest.mark.parametrize("values", [LEAST, EVERYTHING, *EXAMPLES], ids=lambda path: path.stem)
RESTRICTED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@pytest.mark.parametrize("values", [None, LEAST, EVERYTHING, *EXAMPLES], ids=lambda path: path.stem if path else "none")
def test_helm_finds_nothing_to_complain_of(chart: Chart, values: Path | None) -> None:
    done = chart.lint(*([values] if values else []))
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_an_example_for_each_way_to_run_it() -> None:
    assert [example.stem for example in EXAMPLES] == ["one-node", "production", "sasl-tls", "two-destinations"]


@RENDERED
def test_what_is_rendered_is_valid_to_the_last_field(chart: Chart, kubeconform: list[str], values: Path) -> None:
    text = chart.render(values).text
    done = subprocess.run([*kubeconform, "-"], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Skipped: 0" in done.stdout


def test_a_misspelt_field_would_be_found(chart: Chart, kubeconform: list[str]) -> None:
    text = chart.render(EVERYTHING).text.replace("lagThreshold:", "lagThreshold: 7 #").replace("maxSkew:", "maxSkev:")
    done = subprocess.run([*kubeconform, "-"], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "maxSkev" in done.stdout
    assert "lagThreshold" in done.stdout


@pytest.mark.parametrize(
    ("kind", "values"),
    [("PodMonitor", "podMonitor"), ("PrometheusRule", "prometheusRule"), ("ConfigMap", "dashboards")],
)
def test_an_object_s_own_labels_come_before_those_of_all_and_none_comes_twice(
    chart: Chart, kind: str, values: str
) -> None:
    own = {f"monitoring.{values}": {"enabled": True, "labels": {"release": "own"}}}
    text = chart.render(LEAST, values={**own, "commonLabels": {"release": "all", "team": "a"}}).text
    [found, *_] = [each for each in re.split("^---$", text, flags=re.MULTILINE) if "\n    release: own\n" in each]
    assert f"kind: {kind}\n" in found
    assert found.count("\n    release: ") == found.count("\n    team: ") == 1


def test_the_suites_of_the_chart_pass(tool: Callable[[str], Path]) -> None:
    command = [str(tool("helm-unittest")), "--strict", str(CHART)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = re.search(r"^Tests: +(\d+) passed, (\d+) total$", done.stdout, re.MULTILINE)
    assert counted is not None, done.stdout
    assert counted[1] == counted[2] != "0"


def test_the_readme_is_that_of_the_values(tool: Callable[[str], Path]) -> None:
    assert README.read_text(encoding="utf-8") == readme_text(tool("helm-docs")), "run `make chart-docs`"


def test_every_value_is_described() -> None:
    rows = re.findall(r"^\| (\S+) \| \w+ \| .* \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 100
    assert [name for name, description in rows if not description.strip()] == []


@RENDERED
def test_every_pod_runs_restricted_and_without_a_token(chart: Chart, values: Path) -> None:
    for pod in chart.render(values).pods().values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert [container["securityContext"] for container in pod["containers"]] == [RESTRICTED]


@RENDERED
def test_a_hook_needs_nothing_that_comes_after_it(chart: Chart, values: Path) -> None:
    manifests = chart.render(values)
    hooks = [each for each in manifests.objects if "helm.sh/hook" in each["metadata"].get("annotations", {})]
    assert {each["metadata"]["annotations"]["helm.sh/hook"] for each in hooks} == {"pre-install,pre-upgrade"}
    own = {each["metadata"]["name"] for each in manifests.objects if each not in hooks}
    job = manifests.pods()["topics"]
    assert job["serviceAccountName"] in {each["metadata"]["name"] for each in hooks if each["kind"] == "ServiceAccount"}
    assert own.isdisjoint(re.findall(r"name: (\S+)", yaml.safe_dump(job)))


def test_two_releases_never_select_each_others_pods(chart: Chart) -> None:
    one, other = (chart.render(LEAST, release=release) for release in ("one", "other"))
    for component in ("processor", "segment-sink"):
        selector = one.component("Deployment", component)["spec"]["selector"]["matchLabels"]
        labels = other.component("Deployment", component)["spec"]["template"]["metadata"]["labels"]
        assert not selector.items() <= labels.items()
    assert {each["metadata"]["name"] for each in one.objects}.isdisjoint(
        each["metadata"]["name"] for each in other.objects
    )


def test_names_stay_short_enough_for_kubernetes(chart: Chart) -> None:
    named = {"ConfigMap": 253}  # the names of all others may become labels, of pods or endpoints
    for each in chart.render(EVERYTHING, release="r" * 53).objects:
        assert len(each["metadata"]["name"]) <= named.get(each["kind"], 63)
