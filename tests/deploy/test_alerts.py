from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from pipeline.core.classification import Destination
from tests.deploy.alert_cases import APART, CASES, Case
from tests.deploy.dashboards.alerts import Severity, alerts
from tests.deploy.dashboards.files import ALERTS, generated
from tests.deploy.programs import program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def test_dashboards_and_alerts_of_the_chart_are_those_of_the_code() -> None:
    there = {path: path.read_text(encoding="utf-8") for path in generated() if path.exists()}
    assert there == generated(), "run `make docs`"


def test_the_chart_has_no_dashboard_and_no_alert_that_the_code_does_not_make() -> None:
    there = {path for path in generated() for path in path.parent.iterdir() if path.is_file()}
    assert there == set(generated())


def test_every_alert_says_how_severe_it_is_what_it_means_and_where_to_read_on() -> None:
    for alert in alerts():
        assert alert.severity in Severity
        assert re.fullmatch(r"[A-Z].{10,120}", alert.summary), alert
        assert re.fullmatch(r"[A-Z{].{20,300}\.", alert.description), alert
        assert "{{ $labels.destination }}" in alert.summary, alert
        assert alert.runbook_url == f"docs/operate/runbook.md#{alert.name.lower()}"


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    names = {alert.name for alert in alerts()}
    assert {case.alert for case in CASES if case.fires} == names
    assert {case.alert for case in CASES if not case.fires} == names


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    promtool = program("promtool", package="prometheus")
    checked = subprocess.run(
        [promtool, "check", "rules", "--lint-fatal", str(ALERTS)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.why}")
def test_alerts_fire_for_each_destination_when_they_must_and_only_then(case: Case, tmp_path: Path) -> None:
    expect(
        {
            f'{{alertname="{case.alert}",destination="{destination.value}"}}': replace(
                case, series=case.at(destination.value)
            )
            for destination in Destination
        },
        tmp_path,
    )


@pytest.mark.parametrize("case", APART, ids=lambda case: f"{case.alert}: {case.why}")
def test_two_destinations_of_a_release_alert_apart(case: Case, tmp_path: Path) -> None:
    expect({f'{{alertname="{case.alert}",destination="small"}}': case}, tmp_path)


def expect(cases: Mapping[str, Case], folder: Path) -> None:
    """Compare with promtool what fires in each case by alert and destination: one alert with these labels, or none."""
    promtool = program("promtool", package="prometheus")
    script = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [_test_of(case, labels) for labels, case in cases.items()],
    }
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump(script), encoding="utf-8")
    ran = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _test_of(case: Case, labels: str) -> dict[str, object]:
    firing = f'count by (alertname, destination) (ALERTS{{alertname="{case.alert}",alertstate="firing"}})'
    expected = [{"labels": labels, "value": 1}] if case.fires else []
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series],
        "promql_expr_test": [{"expr": firing, "eval_time": case.after, "exp_samples": expected}],
    }
