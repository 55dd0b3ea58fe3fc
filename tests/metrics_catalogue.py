"""`docs/operate/metrics.md`, generated from the metrics by `make docs`; a test compares it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry

from pipeline.core.classification import Destination
from pipeline.core.hold_reasons import HoldReason
from pipeline.core.ids import IdField
from pipeline.core.kinds import Action, Category, Channel
from pipeline.core.outcomes import DropReason, RejectReason
from pipeline.metrics.credentials import CredentialsMetrics
from pipeline.metrics.delivery import AnswerClass, DeliveryMetrics, Doubt, UnclearAnswer
from pipeline.metrics.processor import NO_KIND, ProcessorMetrics
from pipeline.metrics.rules import RulesMetrics
from pipeline.metrics.state import StateMetrics
from pipeline.metrics.stream import StreamMetrics
from pipeline.processor.deciding import STAGE as PROCESSOR_STAGE
from pipeline.settings.choices import Role
from pipeline.sinks.segment.api import SegmentApi
from tests.deploy.dashboards.queries import PREFIX, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE: Final = Path(__file__).parent.parent / "docs" / "operate" / "metrics.md"
_EVERY_ROLE, _PROCESSORS, _SINKS = "every worker", "processors", "sinks"

LABEL_VALUES: Final[Mapping[str, Sequence[str]]] = {
    "action": [each.value for each in Action] + [NO_KIND],
    "answer": [each.value for each in AnswerClass],
    "category": [each.value for each in Category] + [NO_KIND],
    "content": [each.value for each in Doubt],
    "problem": [each.value for each in UnclearAnswer],
    "channel": [each.value for each in Channel] + [NO_KIND],
    "destination": [Destination.SEGMENT.value],
    "field": [each.value for each in IdField],
    "outcome": ["kept", "dropped", "shadow"],
    "role": [each.value for each in Role],
    "stage": [PROCESSOR_STAGE, SegmentApi.stage],
}
"""Every value that these labels can have."""
REASONS: Final = {
    "events_dropped_total": [each.value for each in DropReason],
    "events_rejected_total": [each.value for each in RejectReason],
    "sink_records_rejected_total": [each.value for each in SegmentApi.reject_reasons],
    "dead_letters_total": sorted({each.value for each in (*RejectReason, *SegmentApi.reject_reasons)}),
    "holding": [each.value for each in HoldReason],
}
"""The values of `reason`, which differ between metrics."""
FEW_VALUES: Final = {
    "partition": "number of a partition",
    "policy": "hash of all that decides or shapes, one at a time",
    "python": "version of Python",
    "rule": "name or number of a rule of the rules file",
    "rules": "hash of the rules, one at a time",
    "topic": "name of a topic in the settings that the worker writes to",
    "version": "version of the program",
}
"""Labels with few values that are not in the code, and what the values are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CataloguedMetric:
    """One metric, as Prometheus sees it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    exported_by: str
    text: str


def catalogue() -> list[CataloguedMetric]:
    """Return every metric that the pipeline defines."""
    parts = {
        _EVERY_ROLE: (StreamMetrics,),
        _PROCESSORS: (ProcessorMetrics, RulesMetrics, StateMetrics),
        _SINKS: (DeliveryMetrics, CredentialsMetrics),
    }
    found: dict[str, CataloguedMetric] = {}
    for exported_by, classes in parts.items():
        registry = CollectorRegistry()
        for make in classes:
            make(registry, destination=Destination.SEGMENT.value)
        for metric in _metrics(registry, exported_by):
            of_both = metric.name in found
            found[metric.name] = replace(metric, exported_by=_EVERY_ROLE) if of_both else metric
    return [found[name] for name in sorted(found)]


def _metrics(registry: CollectorRegistry, exported_by: str) -> list[CataloguedMetric]:
    return [
        CataloguedMetric(
            name=f"{family.name}_total" if family.type == "counter" else family.name,
            kind=family.type,
            labels=tuple(getattr(collector, "_labelnames", getattr(family, "_labelnames", ()))),
            exported_by=exported_by,
            text=family.documentation,
        )
        for collector in registry._collector_to_names
        for family in collector.collect()
    ]


def reasons_of(name: str) -> list[str]:
    """Return the values of the label `reason` of a metric."""
    return REASONS[name.removeprefix(PREFIX)]


def page() -> str:
    """Return the whole page."""
    metrics = catalogue()
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.exported_by} |"
        f" {each.text} |"
        for each in metrics
    ]
    labels = [f"| `{name}` | {', '.join(map('`{}`'.format, values))} |" for name, values in LABEL_VALUES.items()]
    labels += [
        f"| `reason` of `{PREFIX}{name}` | {', '.join(map('`{}`'.format, values))} |"
        for name, values in REASONS.items()
    ]
    labels += [f"| `{name}` | {text} |" for name, text in FEW_VALUES.items()]
    return "\n".join(
        [
            "# Metrics",
            "",
            "Generated from the code by `make docs`; a test compares it. Every worker serves these at `/metrics`,",
            "together with the client library's `process_*` and `python_*`. Counters start at 0 with the worker.",
            "",
            "Metrics of processors and sinks carry the label `destination`. To get the role and the destination for a",
            "metric of every worker, join it with `onesignal_pipeline_build_info`:",
            "",
            "```promql",
            Scope().with_role(Scope().worker("consumer_lag_seconds")),
            "```",
            "",
            "| metric | type | labels | exported by | meaning |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
            "## Labels",
            "",
            "No label value comes from an event: the values are defined in the code, or few.",
            "",
            "| label | values |",
            "| --- | --- |",
            *labels,
            "",
            "## Accounting",
            "",
            "A worker updates all counters of a batch between two scrapes, so these are 0 at every scrape:",
            "",
            "```promql",
            "# processor: received = forwarded + dropped + rejected + given back + in flight",
            Scope().processor_gap(),
            "",
            "# sink: received = accepted + rejected + given back + in flight",
            Scope().sink_gap(),
            "```",
            "",
            "Between processor and sink: forwarded records were accepted or rejected by the sink, or wait for it. So",
            "this is about 0 (Prometheus extrapolates), or negative where records were sent again after a redelivery.",
            "For a sink that started within the hour the whole counter counts, because Prometheus sees no increase in",
            "what comes before the first scrape.",
            "",
            "```promql",
            Scope().arrival_gap(),
            "```",
            "",
            "The destination keeps one event for each `messageId`: the accepted records without those sent again.",
            "",
        ]
    )


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
