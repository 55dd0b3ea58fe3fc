"""Which rules are in force, since when, and whether newer ones were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

_PREFIX = "onesignal_pipeline_rules"


class RulesMetrics:
    """Shows the policy that decides now."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._info = Gauge(
            f"{_PREFIX}_info",
            "1 for the policy in force: `rules` is the hash of the rules, `policy` that of all that decides or shapes.",
            ("rules", "policy"),
            registry=registry,
        )
        self._loaded = Gauge(
            f"{_PREFIX}_loaded_timestamp_seconds", "When the rules in force were taken up.", registry=registry
        )
        self._failing = Gauge(
            f"{_PREFIX}_reload_failing",
            "1 while the rules file has changed to something that cannot be used, or does not answer; the rules from "
            "before stay.",
            registry=registry,
        )

        self._events = Counter(
            "onesignal_pipeline_rule_events_total",
            "Events by the rule that decided, or as a shadow would have. `rule` is its name, or its number.",
            ("rule", "outcome"),
            registry=registry,
        )
        self._series: dict[tuple[str, str], Counter] = {}

    def decided(self, kept: Mapping[str, int], dropped: Mapping[str, int], shadowed: Mapping[str, int]) -> None:
        """Count the decisions of a batch of which every effect is confirmed, by the rules' short names."""
        for outcome, counts in (("kept", kept), ("dropped", dropped), ("shadow", shadowed)):
            for rule, events in counts.items():
                series = self._series.get((rule, outcome))
                if series is None:
                    series = self._series[rule, outcome] = self._events.labels(rule, outcome)
                series.inc(events)

    def loaded(self, *, rules: str, policy: str, at_seconds: float) -> None:
        """Tell what is in force from now on."""
        self._info.clear()
        self._info.labels(rules, policy).set(1)
        self._loaded.set(at_seconds)
        self._failing.set(0)

    def refused(self) -> None:
        """Tell that a change of the file was refused."""
        self._failing.set(1)
