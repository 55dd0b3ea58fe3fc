"""What the processor counts: received = forwarded + dropped + rejected + in flight + given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from pipeline.core.ids import IdField
from pipeline.core.kinds import KINDS
from pipeline.core.outcomes import DropReason, RejectReason
from pipeline.metrics.breaker import BreakerMetrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from pipeline.core.kinds import Kind

NO_KIND = "none"
"""Label value of messages whose body does not tell their kind."""
KIND_LABELS = ("channel", "action", "category")


class ProcessorMetrics:
    """Counts the processor's facts, a batch at a time. Every label value is a member of an enum, or `none`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "onesignal_pipeline_events"
        self._received = Counter(
            f"{prefix}_received_total", "Messages taken from the raw topic by this process.", registry=registry
        )
        self._forwarded = Counter(
            f"{prefix}_forwarded_total",
            "Events stored in the records topic, confirmed by the broker.",
            KIND_LABELS,
            registry=registry,
        )
        self._dropped = Counter(
            f"{prefix}_dropped_total", "Events left out on purpose.", (*KIND_LABELS, "reason"), registry=registry
        )
        self._rejected = Counter(
            f"{prefix}_rejected_total",
            "Messages that cannot be used, stored as dead letters, confirmed by the broker.",
            (*KIND_LABELS, "reason"),
            registry=registry,
        )
        self._given_back = Counter(
            f"{prefix}_given_back_total",
            "Messages whose partition went to another worker before they were settled; Kafka delivers them again.",
            registry=registry,
        )
        self._in_flight = Gauge(f"{prefix}_in_flight", "Messages received and not settled yet.", registry=registry)
        self._foreign_keys = Counter(
            f"{prefix}_foreign_key_total",
            "Forwarded events whose message key was not their user key; their order is not promised.",
            registry=registry,
        )
        self._filled = Counter(
            "onesignal_pipeline_messages_filled_total",
            "Late engagements that were given the name, title, contents, template and link which earlier events had.",
            registry=registry,
        )
        self._untimed = Counter(
            f"{prefix}_without_time_total",
            "Forwarded events that told no time that can be read; their record has Kafka's, if it has one.",
            registry=registry,
        )
        self._ignored_ids = Counter(
            "onesignal_pipeline_ids_ignored_total",
            "Ids that were present and not used: they stand for nobody, such as `null` or `{{ event.id }}`, cannot be "
            "read, or may name a person.",
            ("field",),
            registry=registry,
        )
        self._series: dict[tuple[object, ...], Counter] = {}
        self.breaker = BreakerMetrics(registry)
        self._begin()

    def _begin(self) -> None:
        """Show what is usual from the start: Prometheus does not see an increase that makes a series."""
        for kind in KINDS.values():
            self._forwarded.labels(*_labels(kind))
            self._dropped.labels(*_labels(kind), DropReason.RULE.value)
        for field in IdField:
            self._ignored_ids.labels(field.value)
        for reason in RejectReason:
            self._rejected.labels(*_labels(None), reason.value)

    def received(self, messages: int) -> None:
        """Count messages taken in hand."""
        self._received.inc(messages)
        self._in_flight.inc(messages)

    def settled(
        self,
        *,
        messages: int,
        forwarded: Mapping[Kind, int],
        dropped: Mapping[tuple[Kind | None, DropReason], int],
        rejected: Mapping[tuple[Kind | None, RejectReason], int],
    ) -> None:
        """Count a batch of which every effect is confirmed."""
        for kind, count in forwarded.items():
            self._of(self._forwarded, kind).inc(count)
        for (kind_or_none, drop_reason), count in dropped.items():
            self._of(self._dropped, kind_or_none, drop_reason).inc(count)
        for (kind_or_none, reject_reason), count in rejected.items():
            self._of(self._rejected, kind_or_none, reject_reason).inc(count)
        self._in_flight.dec(messages)

    def _of(self, counter: Counter, kind: Kind | None, reason: DropReason | RejectReason | None = None) -> Counter:
        """Return a series. To find it by its labels each time would take most of the time that counting takes."""
        # Not by the kind itself: unknown ones have names without end.
        at = (counter, reason) if kind is None else (counter, kind.channel, kind.action, kind.category, reason)
        series = self._series.get(at)
        if series is None:
            labels = _labels(kind) if reason is None else (*_labels(kind), reason.value)
            series = self._series[at] = counter.labels(*labels)
        return series

    def foreign_keys(self, events: int) -> None:
        """Count forwarded events that were not keyed by their user."""
        self._foreign_keys.inc(events)

    def filled(self, events: int) -> None:
        """Count forwarded events that the message catalogue filled in."""
        self._filled.inc(events)

    def untimed(self, events: int) -> None:
        """Count forwarded events without a time of their own."""
        self._untimed.inc(events)

    def ignored_ids(self, ids: Mapping[IdField, int]) -> None:
        """Count ids that were not used, by field."""
        for field, count in ids.items():
            self._ignored_ids.labels(field.value).inc(count)

    def given_back(self, messages: int) -> None:
        """Count messages given back unsettled."""
        self._given_back.inc(messages)
        self._in_flight.dec(messages)


def _labels(kind: Kind | None) -> tuple[str, str, str]:
    if kind is None:
        return (NO_KIND, NO_KIND, NO_KIND)
    return (kind.channel.value, kind.action.value, kind.category.value)
