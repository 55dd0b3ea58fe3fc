"""`pipeline/METRICS.md`, made of the metrics themselves: `make docs` writes it, a test compares it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from pipeline.core.classification import Destination
from pipeline.core.hold_reasons import HoldReason
from pipeline.core.ids import IdField
from pipeline.core.kinds import Action, Category, Channel
from pipeline.core.outcomes import DropReason, RejectReason
from pipeline.delivery.examination import SegmentRejectReason
from pipeline.kafka.dead_letters import Stage
from pipeline.metrics.credentials import CredentialsMetrics
from pipeline.metrics.delivery import AnswerClass, DeliveryMetrics, Doubt
from pipeline.metrics.processor import NO_KIND, ProcessorMetrics
from pipeline.metrics.rules import RulesMetrics
from pipeline.metrics.state import StateMetrics
from pipeline.metrics.stream import StreamMetrics
from pipeline.settings.choices import Role
from tests.deploy.dashboards.queries import PREFIX, Scope

FILE: Final = Path(__file__).parent.parent / "pipeline" / "METRICS.md"
_EVERY_ROLE: Final = "every worker"

LABEL_VALUES: Final = {
    "action": [each.value for each in Action] + [NO_KIND],
    "answer": [each.value for each in AnswerClass],
    "category": [each.value for each in Category] + [NO_KIND],
    "content": [each.value for each in Doubt],
    "channel": [each.value for each in Channel] + [NO_KIND],
    "destination": [Destination.SEGMENT.value],
    "field": [each.value for each in IdField],
    "outcome": ["kept", "dropped", "shadow"],
    "role": [each.value for each in Role],
    "stage": [each.value for each in Stage],
}
"""Every value that these labels can have."""
REASONS: Final = {
    "events_dropped_total": [each.value for each in DropReason],
    "events_rejected_total": [each.value for each in RejectReason],
    "sink_records_rejected_total": [each.value for each in SegmentRejectReason],
    "dead_letters_total": sorted({each.value for each in (*RejectReason, *SegmentRejectReason)}),
    "holding": [each.value for each in HoldReason],
}
"""The values of `reason`, which differ from metric to metric."""
FEW_VALUES: Final = {
    "partition": "number of a partition",
    "policy": "hash of all that decides or shapes, one at a time",
    "python": "version of Python",
    "rule": "name or number of a rule of the rules file",
    "rules": "hash of the rules, one at a time",
    "topic": "name of a topic of the settings, of those that are written to",
    "version": "version of the program",
}
"""Labels whose values are not in the code, and are few: what each of them is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CataloguedMetric:
    """One metric as Prometheus knows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    told_by: str
    text: str


def catalogue() -> list[CataloguedMetric]:
    """List every metric of the pipeline's own."""
    parts = {
        _EVERY_ROLE: (StreamMetrics,),
        Role.PROCESSOR.value: (ProcessorMetrics, RulesMetrics, StateMetrics),
        Role.SEGMENT_SINK.value: (DeliveryMetrics, CredentialsMetrics),
    }
    found: dict[str, CataloguedMetric] = {}
    for told_by, classes in parts.items():
        registry = CollectorRegistry()
        for make in classes:
            make(registry, destination=Destination.SEGMENT.value)
        for metric in _metrics(registry, told_by):
            of_both = metric.name in found
            found[metric.name] = replace(metric, told_by=_EVERY_ROLE) if of_both else metric
    return [found[name] for name in sorted(found)]


def _metrics(registry: CollectorRegistry, told_by: str) -> list[CataloguedMetric]:
    return [
        CataloguedMetric(
            name=f"{family.name}_total" if family.type == "counter" else family.name,
            kind=family.type,
            labels=tuple(getattr(collector, "_labelnames", getattr(family, "_labelnames", ()))),
            told_by=told_by,
            text=family.documentation,
        )
        for collector in registry._collector_to_names
        for family in collector.collect()
    ]


def reasons_of(name: str) -> list[str]:
    """Give the values that `reason` can have for a metric."""
    return REASONS[name.removeprefix(PREFIX)]


def page() -> str:
    """Write the whole page."""
    metrics = catalogue()
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.told_by} |"
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
            "Written by `make docs` out of the code; a test compares it. Every worker serves these at `/metrics`, and",
            "Python's own `process_*` and `python_*` with them. Counters begin at 0 when a worker starts.",
            "",
            "| metric | type | labels | told by | what it tells |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
            "## Labels",
            "",
            "No label holds what an event brings: the values are those of the code, or few.",
            "",
            "| label | values |",
            "| --- | --- |",
            *labels,
            "",
            "## It adds up",
            "",
            "A worker changes all the counters of a batch between two scrapes, so these are 0 at every scrape:",
            "",
            "```promql",
            "# processor: received = forwarded + dropped + rejected + given back + in flight",
            Scope().processor_gap(),
            "",
            "# sink: the same of records",
            Scope().sink_gap(),
            "```",
            "",
            "Between the two it holds over a time: what was forwarded was accepted or rejected by the sink, or waits.",
            "So this is about 0 (Prometheus extrapolates), or less where records were sent again after a redelivery.",
            "Of a sink that started within the hour the whole counter counts: what comes before its first scrape is",
            "no increase to Prometheus.",
            "",
            "```promql",
            Scope().arrival_gap(),
            "```",
            "",
            "What Segment holds is one event for each `messageId`: what was accepted, less what was sent again.",
            "",
        ]
    )


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
