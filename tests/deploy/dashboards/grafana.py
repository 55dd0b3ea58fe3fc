"""Write boards as Grafana's JSON, with Grafana's own SDK."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, Any, Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from tests.deploy.dashboards.panels import Look
from tests.deploy.dashboards.queries import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.deploy.dashboards.panels import Board, Panel

TAG: Final = "onesignal-pipeline"
DATASOURCE: Final = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
MATCHERS: Final = 'namespace=~"$namespace",release=~"$release"'
DESTINATION_MATCHER: Final = 'destination=~"$destination"'
WINDOW: Final = "$__rate_interval"
_EVERYTHING: Final = ".*"
_COUNTING: Final = ("short", "count:", "reqps")
_FILL: Final = {Look.LINES: 8, Look.STACKED: 40}


def as_json(board: Board) -> str:
    """Return a board in the form that Grafana imports."""
    return json.dumps(_without_nulls(_build(board)), indent=2, sort_keys=True) + "\n"


def _build(board: Board) -> Any:
    made = (
        dashboard.Dashboard(board.title)
        .uid(f"onesignal-pipeline-{board.name}")
        .description(board.description)
        .tags([TAG])
        .readonly()
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(_link_to_the_others())
    )
    for variable in _variables():
        made = made.with_variable(variable)
    number = 0
    for row in board.rows:
        made = made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            number += 1
            made = made.with_panel(_panel(panel).id(number))
    built = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    # The SDK writes a field that dashboards no longer have, and fields of interval variables for every variable.
    built.pop("style", None)
    for variable in built["templating"]["list"]:
        for name in ("auto", "auto_count", "auto_min", "id"):
            variable.pop(name, None)
    return built


def _link_to_the_others() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Other dashboards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(include_vars=True)
        .keep_time(keep_time=True)
        .icon("external link")
    )


def _variables() -> Iterable[Any]:
    yield dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    info = f"{PREFIX}build_info"
    for name, label, query in (
        ("namespace", "Namespace", f"label_values({info}, namespace)"),
        ("release", "Release", f'label_values({info}{{namespace=~"$namespace"}}, release)'),
        ("destination", "Destination", f"label_values({info}{{{MATCHERS}}}, destination)"),
    ):
        yield (
            dashboard.QueryVariable(name)
            .label(label)
            .datasource(DATASOURCE)
            .query(query)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .multi(multi=True)
            .include_all(include_all=True)
            .all_value(_EVERYTHING)
            .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
        )


def _panel(panel: Panel) -> Any:
    match panel.look:
        case Look.NUMBER:
            made: Any = stat.Panel().color_mode(common_models.BigValueColorMode.VALUE)
            made = made.graph_mode(common_models.BigValueGraphMode.AREA)
            reduced = common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
            made = made.reduce_options(reduced)
        case Look.LINES | Look.STACKED:
            made = _lines(panel)
    made = made.title(panel.title).description(panel.description).datasource(DATASOURCE).unit(panel.unit)
    made = made.span(panel.width).height(panel.height).min(0 if panel.most is not None else None)
    made = made.thresholds(
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in panel.steps])
    )
    if panel.most is not None:
        made = made.max(panel.most)
    if panel.decimals is not None:
        made = made.decimals(panel.decimals)
    for letter, series in zip(string.ascii_uppercase, panel.series, strict=False):
        target = prometheus.Dataquery().expr(series.query).ref_id(letter).datasource(DATASOURCE)
        made = made.with_target(target.legend_format(series.name or "__auto").range())
    return made


def _lines(panel: Panel) -> Any:
    made: Any = (
        timeseries.Panel()
        .draw_style(common_models.GraphDrawStyle.LINE)
        .line_width(1)
        .fill_opacity(_FILL[panel.look])
        .show_points(common_models.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
            .calcs([])
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_models.TooltipDisplayMode.MULTI)
            .sort(common_models.SortOrder.DESCENDING)
        )
        .axis_soft_min(0)
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC))
    )
    if panel.unit.startswith(_COUNTING) and panel.most is None:
        made = made.axis_soft_max(1)  # keeps a line of zeros at the bottom
    if panel.look is Look.STACKED:
        made = made.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    if len(panel.steps) > 1:
        made = made.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(common_models.GraphTresholdsStyleMode.DASHED)
        )
    return made


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_nulls(each) for name, each in value.items() if each is not None}
        if set(value) == {"value", "color"} and value["value"] is None:
            return {"value": None, **kept}  # the first threshold has no value
        return kept
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value
