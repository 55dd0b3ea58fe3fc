"""The runbook is read in an emergency: whatever it names must exist."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import pytest
import yaml
from prometheus_client import CollectorRegistry

from pipeline.cli.main import cli
from pipeline.core.hold_reasons import HoldReason
from pipeline.core.outcomes import RejectReason
from pipeline.kafka import headers
from pipeline.processor.deciding import STAGE as PROCESSOR_STAGE
from pipeline.runtime.health import Health
from pipeline.runtime.status_server import StatusServer
from pipeline.settings.mistakes import variable
from pipeline.settings.sections import FIELDS, Settings
from pipeline.sinks.mixpanel.api import MixpanelApi
from pipeline.sinks.segment.api import SegmentApi
from tests.deploy.dashboards.alerts import NAME, RUNBOOK, alerts
from tests.deploy.dashboards.files import boards
from tests.metrics_catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / RUNBOOK).read_text(encoding="utf-8")
VALUES: Final = ROOT / "deploy" / "helm" / "onesignal-pipeline" / "values.yaml"
ALERTS: Final = {alert.name for alert in alerts()}
PROSE: Final = " ".join(TEXT.split())


def sections(text: str) -> dict[str, str]:
    """Return the text of each section by its heading."""
    parts = re.split(r"^#{1,3} (.+)$", text, flags=re.MULTILINE)
    return {heading: " ".join(body.split()) for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def anchor(heading: str) -> str:
    """Return the anchor of a heading within its page, as GitHub, GitLab and MkDocs build it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_alert_has_a_section_where_its_address_leads_and_no_section_is_of_another() -> None:
    assert {heading for heading in sections(TEXT) if heading.startswith(NAME)} == ALERTS
    pages = {f"{RUNBOOK}#{anchor(heading)}" for heading in sections(TEXT)}
    assert {alert.runbook_url for alert in alerts()} <= pages


@pytest.mark.parametrize("alert", sorted(ALERTS - {f"{NAME}EventsLateSlow"}))
def test_a_section_says_what_an_alert_means_what_to_do_and_what_not_to_do(alert: str) -> None:
    text = sections(TEXT)[alert]
    for part in (r"\*\*Means\.\*\*", r"\*\*Do(, now)?\.\*\*|what to do", r"\*\*Do not\*\*"):
        assert re.search(part, text), part


def test_every_section_of_this_and_of_other_pages_that_is_named_is_there() -> None:
    named = re.findall(r"\]\(([a-z]*(?:\.md)?)#([^)]+)\)", TEXT)
    assert len(named) > 10
    for page, section in named:
        text = (ROOT / RUNBOOK).with_name(page).read_text(encoding="utf-8") if page else TEXT
        assert section in {anchor(heading) for heading in sections(text)}, section


def test_every_variable_is_a_setting() -> None:
    named = set(re.findall(r"\bPIPELINE_[A-Z_]+[A-Z]\b", TEXT))
    known = {variable(field) for field in FIELDS}
    assert named
    assert named - known <= {f"{name}_FILE" for name in known}


def test_every_metric_is_in_the_catalogue() -> None:
    named = set(re.findall(r"\bonesignal_pipeline_[a-z_]+[a-z]\b", TEXT))
    assert named <= {metric.name for metric in catalogue()}


def test_every_command_exists_with_the_arguments_that_are_given() -> None:
    named = []
    for span in re.findall(r"`([^`]+)`", PROSE):
        _, program, arguments = span.rpartition("onesignal-pipeline ")
        words = arguments.split()
        if words[0] in cli.commands or (program and words[0] != "…"):
            named.append(words)
    assert len(named) >= 5
    for words in named:
        parse(cli, words)


def parse(group: click.Group, words: list[str]) -> None:
    command = group.commands[words[0]]
    if isinstance(command, click.Group):
        parse(command, words[1:])
        return
    given = [word for word in words[1:] if not word.startswith(("<", ">"))]
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    assert not given or len(given) == len(arguments), words


def test_every_cause_to_hold_has_a_line_that_says_what_to_do_in_the_order_of_the_code() -> None:
    section = TEXT.partition(f"## {NAME}Holding")[2].partition("\n## ")[0]
    output = re.findall(r"^\| `([a-z_]+)` \| \S.{20,} \|$", section, re.MULTILINE)
    assert output == [reason.value for reason in HoldReason if reason is not HoldReason.BREAKER]


def test_the_reasons_and_stages_of_dead_letters_are_those_of_the_code() -> None:
    section = sections(TEXT)[f"{NAME}DeadLetters"].partition("**Do.**")[2]
    named = set(re.findall(r"`([a-z]+(?:[_-][a-z]+)*)`", section))
    assert len(named) >= 7
    sinks = (SegmentApi, MixpanelApi)
    known = {*RejectReason, PROCESSOR_STAGE, headers.DETAIL}
    assert named <= known.union(*({*api.reject_reasons, api.stage} for api in sinks))


def test_every_dashboard_is_there_by_its_name() -> None:
    named = set(re.findall(r"[Dd]ashboard \*([^*]+)\*", PROSE))
    assert named == {board.title.partition(": ")[2] for board in boards()}


def test_every_value_of_the_chart_is_there() -> None:
    values = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    blocks = "components|topics|segment|mixpanel|kafka|monitoring|networkPolicy"
    named = set(re.findall(rf"`((?:{blocks})\.[a-zA-Z.]+)`", TEXT))
    assert named
    for path in named:
        assert reached(values, path), path


def reached(values: Mapping[str, Any], path: str) -> bool:
    """Return whether a path exists in the chart's values; a component has the keys of `componentDefaults`."""
    first, *rest = path.split(".")
    if first == "components":
        return rest[0] in values[first] and rest[1] in values["componentDefaults"]
    for name in (first, *rest):
        if name not in values:
            return False
        values = values[name]
    return True


async def test_the_first_look_tells_the_reason_also_where_a_worker_is_not_well() -> None:
    (script,) = re.findall(r"kubectl exec POD -- python3 -c '(.+?)'\n", TEXT, re.DOTALL)
    assert f'"127.0.0.1", {Settings().http_port}' in script
    ill = Health(ok=False, detail="7 messages wait: stuck")
    server = StatusServer(
        host="127.0.0.1", port=0, registry=CollectorRegistry(), liveness=lambda: ill, readiness=lambda: ill
    )
    await server.start()
    try:
        code = script.replace(str(Settings().http_port), str(server.port)).replace("\n    ", "\n")
        run = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
        output, _ = await run.communicate()
    finally:
        await server.stop()
    assert output.decode().count(ill.detail) == 2
