"""What lies in the chart's folders is taken up by itself: dashboards, alerts, templates of further components."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.deploy.rendering import EVERYTHING, LEAST, Chart, RefusedError
from tests.write_chart_schema import CHART

if TYPE_CHECKING:
    from pathlib import Path

MONITORED: Final = {"monitoring.prometheusRule": {"enabled": True, "labels": {"prometheus": "main"}}}
GROUPS: Final = [
    {
        "name": "onesignal-pipeline",
        "rules": [
            {
                "alert": "EventsLate",
                "expr": "time() - up > 1000000",
                "for": "5m",
                "labels": {"severity": "page"},
                "annotations": {"summary": "Events of {{ $labels.release }} are late: {{ $value | humanize }}"},
            },
            {"record": "pipeline:up:sum", "expr": "sum(up)"},
        ],
    }
]


@pytest.fixture
def copied(chart: Chart, tmp_path: Path) -> Chart:
    """The chart without dashboards and alerts, in a folder that a test may change."""
    folder = tmp_path / CHART.name
    shutil.copytree(CHART, folder)
    for name in ("dashboards", "alerts"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    return Chart(helm=chart.helm, folder=folder)


def test_without_files_there_is_nothing_of_them(copied: Chart) -> None:
    kinds = {each["kind"] for each in copied.render(LEAST, values=MONITORED).objects}
    assert kinds.isdisjoint({"ConfigMap", "PrometheusRule"})
    assert copied.lint(LEAST).returncode == 0


def test_each_dashboard_becomes_a_config_map_for_the_sidecar(copied: Chart) -> None:
    dashboard = {"title": "Overview", "panels": [{"targets": [{"legendFormat": "{{release}} {{pod}}"}]}]}
    for name in ("overview", "delivery"):
        text = json.dumps({**dashboard, "uid": name}, indent=2)
        (copied.folder / "dashboards" / f"{name}.json").write_text(text, encoding="utf-8")
    found = copied.render(LEAST).of_kind("ConfigMap")
    assert [each["metadata"]["name"].rpartition("-")[2] for each in found] == ["delivery", "overview"]
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in found} == {"1"}
    shown = [json.loads(text) for each in found for text in each["data"].values()]
    assert shown == [{**dashboard, "uid": "delivery"}, {**dashboard, "uid": "overview"}]


def test_dashboards_can_be_left_out_or_put_where_the_sidecar_looks(copied: Chart) -> None:
    (copied.folder / "dashboards" / "overview.json").write_text("{}", encoding="utf-8")
    assert copied.render(LEAST, values={"monitoring.dashboards.enabled": False}).of_kind("ConfigMap") == []
    (found,) = copied.render(LEAST, values={"monitoring.dashboards.namespace": "grafana"}).of_kind("ConfigMap")
    assert found["metadata"]["namespace"] == "grafana"


def test_all_rules_files_become_one_prometheus_rule(copied: Chart) -> None:
    for number in range(2):
        groups = [{**GROUPS[0], "name": f"group-{number}"}]
        (copied.folder / "alerts" / f"{number}.yaml").write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    (rule,) = copied.render(LEAST, values=MONITORED).of_kind("PrometheusRule")
    assert rule["metadata"]["labels"]["prometheus"] == "main"
    assert rule["spec"]["groups"] == [{**GROUPS[0], "name": f"group-{number}"} for number in range(2)]
    assert copied.render(LEAST).of_kind("PrometheusRule") == []


def test_alerts_get_further_labels_and_recorded_series_do_not(copied: Chart) -> None:
    (copied.folder / "alerts" / "a.yaml").write_text(yaml.safe_dump({"groups": GROUPS}), encoding="utf-8")
    labels = {"monitoring.prometheusRule": {"enabled": True, "alertLabels": {"team": "messaging"}}}
    (rule,) = copied.render(LEAST, values=labels).of_kind("PrometheusRule")
    alert, recorded = rule["spec"]["groups"][0]["rules"]
    assert alert["labels"] == {"severity": "page", "team": "messaging"}
    assert recorded == GROUPS[0]["rules"][1]


def test_alerts_lead_to_the_runbook_where_people_read_it(chart: Chart) -> None:
    base = {"monitoring.prometheusRule": {"enabled": True, "runbookBase": "https://git.example/pipeline/blob/main/"}}
    (rule,) = chart.render(LEAST, values=base).of_kind("PrometheusRule")
    pages = [each["annotations"]["runbook_url"] for group in rule["spec"]["groups"] for each in group["rules"]]
    assert pages
    assert all(page.startswith("https://git.example/pipeline/blob/main/docs/operate/runbook.md#") for page in pages)


def test_the_files_that_are_there_are_all_taken(chart: Chart) -> None:
    manifests = chart.render(EVERYTHING)
    shown = [name for each in manifests.of_kind("ConfigMap") for name in each["data"] if name.endswith(".json")]
    assert len(shown) == len(list((CHART / "dashboards").glob("*.json")))
    groups = [group for each in manifests.of_kind("PrometheusRule") for group in each["spec"]["groups"]]
    files = (CHART / "alerts").glob("*.yaml")
    assert len(groups) == sum(len(yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]) for file in files)


FURTHER: Final = """\
{{- /* Another sink. */ -}}
{{- include "onesignal-pipeline.component" (dict
      "root" $ "key" "archiveSink" "name" "archive-sink"
      "arguments" (list "worker" "archive-sink")
      "groupSetting" "PIPELINE_ARCHIVE_SINK_GROUP"
      "reads" "archive.records"
      "settings" dict
      "files" list
      "rules" dict
      "annotations" dict
      "egress" list) }}
"""


def test_a_further_component_is_a_block_and_a_template_of_ten_lines(copied: Chart) -> None:
    (copied.folder / "templates" / "archive-sink.yaml").write_text(FURTHER, encoding="utf-8")
    assert FURTHER.count("\n") <= 11
    schema_file = copied.folder / "values.schema.json"
    schema: dict[str, Any] = json.loads(schema_file.read_text(encoding="utf-8"))
    schema["properties"]["components"]["properties"]["archiveSink"] = {"$ref": "#/definitions/component"}
    schema_file.write_text(json.dumps(schema), encoding="utf-8")
    block = {"components.archiveSink": {"enabled": True, "consumerGroup": "archive", "replicas": 3}}
    manifests = copied.render(LEAST, values=block)
    deployment = manifests.component("Deployment", "archive-sink")
    assert deployment["spec"]["replicas"] == 3
    assert deployment["spec"]["template"]["spec"]["containers"][0]["args"] == ["worker", "archive-sink"]
    assert manifests.component("PodDisruptionBudget", "archive-sink")["spec"]["maxUnavailable"] == 1
    refused = {**block, "components.archiveSink": {**block["components.archiveSink"], "replicas": 99}}
    with pytest.raises(RefusedError, match=r"components\.archiveSink: up to 99 workers"):
        copied.render(LEAST, values=refused)
