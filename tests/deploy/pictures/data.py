"""The data of a dashboard picture: its panels, and the answers of Prometheus to their queries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tests.deploy.prometheus import NAMESPACE, RELEASE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.deploy.prometheus import Prometheus

WIDTH: Final = 1600
STEP_SECONDS: Final = 2
_CELL_PIXELS: Final = 38
_HEAD_PIXELS: Final = 80
_VARIABLES: Final = {
    "$__rate_interval": "20s",
    "$__range": "2m",
    "$namespace": NAMESPACE,
    "$release": RELEASE,
    "$destination": ".*",
}
_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")


async def picture_data(
    prometheus: Prometheus, board: Mapping[str, Any], *, started: float, ended: float
) -> dict[str, Any]:
    """Evaluate every query of a dashboard over a time, in seconds since the epoch."""
    panels = [await _panel(prometheus, panel, started, ended) for panel in board["panels"]]
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    return {
        "title": board["title"],
        "width": WIDTH,
        "height": bottom * _CELL_PIXELS + _HEAD_PIXELS,
        "from": started * 1000,
        "to": ended * 1000,
        "panels": panels,
    }


async def _panel(prometheus: Prometheus, panel: Mapping[str, Any], started: float, ended: float) -> dict[str, Any]:
    drawn = {name: panel.get(name, "") for name in ("type", "title", "description", "gridPos")}
    series: list[dict[str, Any]] = []
    for target in panel.get("targets", ()):
        answer = await prometheus.get(
            "query_range",
            query=_filled_in(target["expr"]),
            start=f"{started:.3f}",
            end=f"{ended:.3f}",
            step=f"{STEP_SECONDS}s",
        )
        series += [_series(found, target["legendFormat"], panel["title"]) for found in answer["result"]]
    return {**drawn, "series": series, "defaults": panel.get("fieldConfig", {}).get("defaults", {})}


def _series(found: Mapping[str, Any], legend: str, title: str) -> dict[str, Any]:
    labels: Mapping[str, str] = found["metric"]
    name = title if legend == "__auto" else _LABEL.sub(lambda match: labels.get(match[1], ""), legend)
    return {
        "name": name,
        "times": [moment * 1000 for moment, _ in found["values"]],
        "values": [None if value in {"NaN", "+Inf", "-Inf"} else float(value) for _, value in found["values"]],
    }


def _filled_in(expression: str) -> str:
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return expression
