"""The files of dashboards and alerts in the chart, and their content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.deploy.dashboards.alerts import as_yaml
from tests.deploy.dashboards.delivery import delivery
from tests.deploy.dashboards.filters import filters
from tests.deploy.dashboards.grafana import DESTINATION_MATCHER, MATCHERS, WINDOW, as_json
from tests.deploy.dashboards.kafka import kafka
from tests.deploy.dashboards.overview import overview
from tests.deploy.dashboards.queries import Scope

if TYPE_CHECKING:
    from tests.deploy.dashboards.panels import Board

CHART: Final = Path(__file__).parents[3] / "deploy" / "helm" / "onesignal-pipeline"
DASHBOARDS: Final = CHART / "dashboards"
ALERTS: Final = CHART / "alerts" / "onesignal-pipeline.yaml"


def boards(scope: Scope | None = None) -> tuple[Board, ...]:
    """Return every dashboard, for a selector; the default selects by the variables of the dashboards."""
    chosen = scope or Scope(MATCHERS, destination=DESTINATION_MATCHER, window=WINDOW)
    return overview(chosen), delivery(chosen), kafka(chosen), filters(chosen)


def generated() -> dict[Path, str]:
    """Return the content of each file."""
    return {**{DASHBOARDS / f"{board.name}.json": as_json(board) for board in boards()}, ALERTS: as_yaml()}
