"""What a processor counts."""

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

_PREFIX = "onesignal_pipeline"
NO_KIND = "none"
"""Label value for messages of unknown kind."""
KIND_LABELS = ("channel", "action", "category")


class ProcessorMetrics:
    """Counts the facts of one processor by batch. Every label value is a member of an enum, `none` or the destination.

    At any time received = forwarded + dropped + rejected + in flight + given back.
    """

    def __init__(self, registry: CollectorRegistry, *, destination: str) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{_PREFIX}_{name}_total", text, ("destination", *labels), registry=registry)

        self._destination = destination
        self._received = counter("events_received", "Messages read from the raw topic.").labels(destination)
        self._forwarded = counter(
            "events_forwarded", "Events stored in the records topic and confirmed by the broker.", *KIND_LABELS
        )
        self._dropped = counter("events_dropped", "Events dropped on purpose.", *KIND_LABELS, "reason")
        self._rejected = counter(
            "events_rejected",
            "Unusable messages stored as dead letters and confirmed by the broker.",
            *KIND_LABELS,
            "reason",
        )
        self._given_back = counter(
            "events_given_back",
            "Messages whose partition was revoked before they were settled; Kafka redelivers them to another worker.",
        ).labels(destination)
        self._in_flight = Gauge(
            f"{_PREFIX}_events_in_flight",
            "Messages received and not yet settled.",
            ["destination"],
            registry=registry,
        ).labels(destination)
        self._foreign_keys = counter(
            "events_foreign_key",
            "Forwarded events whose message key was not their user key; their order is not guaranteed.",
        ).labels(destination)
        self._filled = counter(
            "messages_filled",
            "Late engagement events completed with the name, title, contents, template and link of earlier events.",
        ).labels(destination)
        self._untimed = counter(
            "events_without_time",
            "Forwarded events without a readable time; their record has Kafka's timestamp where there is one.",
        ).labels(destination)
        self._ignored_ids = counter(
            "ids_ignored",
            "Ids that were present and ignored: placeholders such as `null` or `{{ event.id }}`, unreadable ids, and "
            "ids that may name a person.",
            "field",
        )
        self._series: dict[tuple[object, ...], Counter] = {}
        self.breaker = BreakerMetrics(registry, destination=destination)
        self._begin()

    def _begin(self) -> None:
        """Create the usual series at 0, because Prometheus sees no increase in the first sample of a series."""
        for kind in KINDS.values():
            self._of(self._forwarded, kind)
            self._of(self._dropped, kind, DropReason.RULE)
        for field in IdField:
            self._ignored_ids.labels(self._destination, field.value)
        for reason in RejectReason:
            self._of(self._rejected, None, reason)

    def received(self, messages: int) -> None:
        """Count messages read from the raw topic."""
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
        """Count a batch whose every effect is confirmed."""
        for kind, count in forwarded.items():
            self._of(self._forwarded, kind).inc(count)
        for (kind_or_none, drop_reason), count in dropped.items():
            self._of(self._dropped, kind_or_none, drop_reason).inc(count)
        for (kind_or_none, reject_reason), count in rejected.items():
            self._of(self._rejected, kind_or_none, reject_reason).inc(count)
        self._in_flight.dec(messages)

    def _of(self, counter: Counter, kind: Kind | None, reason: DropReason | RejectReason | None = None) -> Counter:
        """Return a series from a cache: finding it by its labels each time would take most of the time of counting."""
        # The key is not the kind itself, because the names of unknown kinds are unbounded.
        at = (counter, reason) if kind is None else (counter, kind.channel, kind.action, kind.category, reason)
        series = self._series.get(at)
        if series is None:
            reasons = () if reason is None else (reason.value,)
            series = self._series[at] = counter.labels(self._destination, *_labels(kind), *reasons)
        return series

    def foreign_keys(self, events: int) -> None:
        """Count forwarded events whose message is not keyed by their user."""
        self._foreign_keys.inc(events)

    def filled(self, events: int) -> None:
        """Count forwarded events completed from the message catalogue."""
        self._filled.inc(events)

    def untimed(self, events: int) -> None:
        """Count forwarded events without a readable time."""
        self._untimed.inc(events)

    def ignored_ids(self, ids: Mapping[IdField, int]) -> None:
        """Count ignored ids by field."""
        for field, count in ids.items():
            self._ignored_ids.labels(self._destination, field.value).inc(count)

    def given_back(self, messages: int) -> None:
        """Count messages that were received and given up unsettled with their partition."""
        self._given_back.inc(messages)
        self._in_flight.dec(messages)


def _labels(kind: Kind | None) -> tuple[str, str, str]:
    if kind is None:
        return (NO_KIND, NO_KIND, NO_KIND)
    return (kind.channel.value, kind.action.value, kind.category.value)
