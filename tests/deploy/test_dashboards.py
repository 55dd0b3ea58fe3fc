"""Every query of every dashboard and alert, evaluated by a real Prometheus that scrapes the running pipeline."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from pipeline.core.classification import Destination
from pipeline.local.stand_ins.faults import AnswerStatus
from tests.deploy.dashboards.alerts import alerts
from tests.deploy.dashboards.files import boards, generated
from tests.deploy.dashboards.queries import PREFIX, Scope
from tests.deploy.live import ONE_IN_SIXTEEN, ONE_IN_SIXTEEN_OF_MIXPANEL, live
from tests.deploy.programs import program
from tests.deploy.prometheus import NAMESPACE, RELEASE, SCRAPE_SECONDS
from tests.metrics_catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.deploy.prometheus import Prometheus

LOAD_SECONDS: Final = 40
FAULT_SECONDS: Final = 20
START_SECONDS: Final = 60
PATIENCE_SECONDS: Final = 20
COLUMNS: Final = 24
"""The width of every Grafana dashboard."""
VARIABLES: Final = {
    "$__rate_interval": "15s",
    "$__range": "30s",
    "$namespace": NAMESPACE,
    "$release": f".*|{RELEASE}",
}
"""What Grafana substitutes for each variable besides the destination; the release as for `All`."""


def panels() -> Iterator[tuple[str, str, list[str]]]:
    """Yield the dashboard, the title and the queries of every panel in the files."""
    for path, text in generated().items():
        if path.suffix == ".json":
            board: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            assert text == path.read_text(encoding="utf-8"), "run `make docs`"
            for panel in board["panels"]:
                if panel["type"] != "row":
                    yield path.stem, panel["title"], [target["expr"] for target in panel["targets"]]


def filled_in(expression: str, destination: Destination) -> str:
    for name, value in {**VARIABLES, "$destination": destination.value}.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


def embedded_broker_provides(query: str) -> bool:
    """Return whether the embedded broker provides what a query needs; it sends no time."""
    return f"{PREFIX}clock_difference_seconds" not in query


async def silent(prometheus: Prometheus, *, under_faults: bool) -> list[str]:
    """Return the queries that stay without a finite sample of a destination. One that Prometheus rejects raises.

    On a busy machine a scrape may be late, which leaves every query over that worker without a sample for a moment.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (  # noqa: ASYNC110 -- another process cannot set an Event of ours
        found := await _silent_now(prometheus, under_faults=under_faults)
    ) and time.monotonic() < deadline:
        await asyncio.sleep(SCRAPE_SECONDS)
    return found


async def _silent_now(prometheus: Prometheus, *, under_faults: bool) -> list[str]:
    quiet = {(board.name, panel.title) for board in boards() for panel in board.panels if panel.under_faults}
    found = [
        f"{destination}: {board}: {title}: {query}"
        for destination in Destination
        for board, title, queries in panels()
        if under_faults or (board, title) not in quiet
        for query in queries
        if not await prometheus.finite(filled_in(query, destination)) and embedded_broker_provides(query)
    ]
    return found + [
        f"{alert.name}: {watched}"
        for alert in alerts()
        for watched in alert.watched
        if not await prometheus.finite(watched) and embedded_broker_provides(watched)
    ]


async def values_of(prometheus: Prometheus, label: str) -> set[str]:
    """Return the values of a label over all workers."""
    return {sample.labels[label] for sample in await prometheus.query(f"count by ({label}) ({PREFIX}build_info)")}


def test_no_panel_is_wider_than_the_dashboard_or_covers_another() -> None:
    for path, text in generated().items():
        if path.suffix == ".json":
            taken: dict[tuple[int, int], str] = {}
            for panel in json.loads(text)["panels"]:
                place = panel["gridPos"]
                assert place["x"] + place["w"] <= COLUMNS, f"{path.stem}: {panel['title']}"
                for x in range(place["x"], place["x"] + place["w"]):
                    for y in range(place["y"], place["y"] + place["h"]):
                        assert taken.setdefault((x, y), panel["title"]) == panel["title"], path.stem


async def test_every_query_of_every_panel_and_alert_has_a_sample_under_load_and_under_faults(tmp_path: Path) -> None:
    prometheus_program = program("prometheus", package="prometheus")
    async with live(prometheus_program, tmp_path, both=True, DEAD_LETTER_MAX_SHARE="1") as stage:
        prometheus = stage.prometheus
        accepted = f"count(rate({PREFIX}sink_records_accepted_total[15s]) > 0) == {len(Destination)}"
        await prometheus.until(accepted, seconds=START_SECONDS)
        await asyncio.sleep(LOAD_SECONDS)

        assert await silent(prometheus, under_faults=False) == []
        rules = [rule for group in (await prometheus.get("rules"))["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"}
        assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
        assert await values_of(prometheus, "namespace") == {NAMESPACE}
        assert await values_of(prometheus, "release") == {RELEASE}
        assert await values_of(prometheus, "destination") == set(Destination)

        segment, mixpanel = stage.pipeline.segment.faults, stage.pipeline.mixpanel.faults
        segment.order(ONE_IN_SIXTEEN, times=None)
        mixpanel.order(ONE_IN_SIXTEEN_OF_MIXPANEL, times=None)
        rejected = f"sum by (destination) (rate({PREFIX}sink_records_rejected_total[15s]))"
        refused = f"count({rejected} > 0) == {len(Destination)}"
        await prometheus.until(refused, seconds=START_SECONDS)
        await asyncio.sleep(2 * SCRAPE_SECONDS)
        assert await silent(prometheus, under_faults=True) == []

        for plan in (segment, mixpanel):
            plan.clear()
            plan.order(AnswerStatus(status=429), times=3)
            plan.schedule(seed=1, rate=0.3)
        await asyncio.sleep(FAULT_SECONDS)
        assert await silent(prometheus, under_faults=False) == []
        letters = f"rate({PREFIX}dead_letters_total[15s])"
        for happened in (
            f'sum by (destination) (increase({PREFIX}sink_attempts_total{{answer!="2xx"}}[{FAULT_SECONDS}s])) > 0',
            f"sum by (destination) ({Scope().with_role(letters)}) > 0",
            f"sum by (destination) (increase({PREFIX}sink_request_batch_attempts_sum[{FAULT_SECONDS}s]))"
            f" > sum by (destination) (increase({PREFIX}sink_request_batch_attempts_count[{FAULT_SECONDS}s]))",
        ):
            assert len(await prometheus.query(happened)) == len(Destination), happened


def test_every_metric_in_a_query_is_in_the_catalogue_and_every_metric_is_in_a_query() -> None:
    queries = " ".join([query for _, _, found in panels() for query in found] + [alert.rule for alert in alerts()])
    known = {metric.name for metric in catalogue()}
    used = {name.removesuffix(end) for name in _names(queries) for end in _ends(name, known)}
    assert used <= known
    assert known - used <= UNSEEN


UNSEEN: Final = {
    f"{PREFIX}sink_records_given_back_total",
}
"""Metrics that no panel shows on its own."""


def _names(queries: str) -> set[str]:
    words = "".join(each if each.isalnum() or each == "_" else " " for each in queries).split()
    return {word for word in words if word.startswith(PREFIX)}


def _ends(name: str, known: set[str]) -> list[str]:
    return [""] if name in known else [end for end in ("_bucket", "_sum", "_count") if name.endswith(end)] or [""]


def test_every_panel_says_what_it_shows_in_which_unit_and_from_when_on_it_is_bad() -> None:
    for board in boards():
        for panel in board.panels:
            assert len(panel.description) > 20, panel.title
            assert panel.description.endswith("."), panel.title
            assert panel.unit, panel.title
            assert panel.steps[0][0] is None, panel.title


def test_dashboards_lead_to_one_another_and_let_a_release_and_a_destination_be_chosen() -> None:
    for path in generated():
        if path.suffix != ".json":
            continue
        board = json.loads(path.read_text(encoding="utf-8"))
        variables = [variable["name"] for variable in board["templating"]["list"]]
        assert variables == ["datasource", "namespace", "release", "destination"]
        assert [(link["type"], link["includeVars"], link["keepTime"]) for link in board["links"]] == [
            ("dashboards", True, True)
        ]
        assert board["links"][0]["tags"] == board["tags"]
        assert all(panel["datasource"]["uid"] == "${datasource}" for panel in board["panels"] if panel["type"] != "row")


def test_every_query_is_about_the_chosen_destination_except_those_about_topics() -> None:
    others = {
        title for _, title, queries in panels() for query in queries if 'destination=~"$destination"' not in query
    }
    assert others == {"Batch limit by topic"}


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.name)
def test_no_two_panels_of_a_dashboard_have_the_same_title(board: Any) -> None:
    titles = [panel.title for panel in board.panels]
    assert len(set(titles)) == len(titles)
