"""Which rules are in force, since when, and whether a change was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

_PREFIX = "onesignal_pipeline_rules"


class RulesMetrics:
    """Shows the policy that a processor applies now, and counts its decisions by rule."""

    def __init__(self, registry: CollectorRegistry, *, destination: str) -> None:
        self._destination = destination
        self._info = Gauge(
            f"{_PREFIX}_info",
            "1 for the policy in force. `rules` is the hash of the rules, `policy` that of all that decides or shapes.",
            ("destination", "rules", "policy"),
            registry=registry,
        )
        self._loaded = Gauge(
            f"{_PREFIX}_loaded_timestamp_seconds",
            "When the rules in force were loaded.",
            ["destination"],
            registry=registry,
        ).labels(destination)
        self._failing = Gauge(
            f"{_PREFIX}_reload_failing",
            "1 while the changed rules file is invalid or cannot be read; the previous rules stay in force.",
            ["destination"],
            registry=registry,
        ).labels(destination)
        self._events = Counter(
            "onesignal_pipeline_rule_events_total",
            "Events by the rule that decided, or that a shadow rule would have decided. `rule` is its name or number.",
            ("destination", "rule", "outcome"),
            registry=registry,
        )
        self._series: dict[tuple[str, str], Counter] = {}

    def decided(self, kept: Mapping[str, int], dropped: Mapping[str, int], shadowed: Mapping[str, int]) -> None:
        """Count the decisions of a batch whose every effect is confirmed, by the rules' short names."""
        for outcome, counts in (("kept", kept), ("dropped", dropped), ("shadow", shadowed)):
            for rule, events in counts.items():
                series = self._series.get((rule, outcome))
                if series is None:
                    series = self._series[rule, outcome] = self._events.labels(self._destination, rule, outcome)
                series.inc(events)

    def loaded(self, *, rules: str, policy: str, at_seconds: float) -> None:
        """Show which rules are in force from now on."""
        self._info.clear()
        self._info.labels(self._destination, rules, policy).set(1)
        self._loaded.set(at_seconds)
        self._failing.set(0)

    def refused(self) -> None:
        """Show that a change of the rules file was rejected."""
        self._failing.set(1)
