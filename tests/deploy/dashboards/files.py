"""Which files the chart has of dashboards and alerts, and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.deploy.dashboards.alerts import as_yaml
from tests.deploy.dashboards.delivery import delivery
from tests.deploy.dashboards.filters import filters
from tests.deploy.dashboards.grafana import MATCHERS, WINDOW, as_json
from tests.deploy.dashboards.kafka import kafka
from tests.deploy.dashboards.overview import overview
from tests.deploy.dashboards.queries import Scope

if TYPE_CHECKING:
    from tests.deploy.dashboards.panels import Board

CHART: Final = Path(__file__).parents[3] / "deploy" / "helm" / "onesignal-pipeline"
DASHBOARDS: Final = CHART / "dashboards"
ALERTS: Final = CHART / "alerts" / "onesignal-pipeline.yaml"


def boards(scope: Scope | None = None) -> tuple[Board, ...]:
    """List every dashboard, for what a selector chooses; by default, what the dashboards' variables choose."""
    chosen = scope or Scope(MATCHERS, window=WINDOW)
    return overview(chosen), delivery(chosen), kafka(chosen), filters(chosen)


def generated() -> dict[Path, str]:
    """Say what each file holds."""
    return {**{DASHBOARDS / f"{board.name}.json": as_json(board) for board in boards()}, ALERTS: as_yaml()}
