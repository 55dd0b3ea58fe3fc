"""What the bill of a destination depends on: its policy and month, and how it bills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.core.classification import Destination
from pipeline.tools.what_if.prices import Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.billing_month import BillingMonth
    from pipeline.core.policy import Policy
    from pipeline.state.message_catalogue import MessageCatalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One destination whose bill is estimated.

    Attributes:
        destination: The destination.
        policy: All of its processor's policy except the rules.
        billing_month: Its billing month.
        catalogue: An empty message catalogue that learns from the traffic, if its processor has one.
    """

    destination: Destination
    policy: Policy
    billing_month: BillingMonth
    catalogue: MessageCatalogue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """How a destination bills.

    Attributes:
        title: The destination's name in texts.
        unit: What its usual plan bills.
        usual_price: The end of the axis of prices per unit; a little above the list price.
        guardrail: The average number of events per user above which events are billed as MTUs: one MTU for as many
            events. None if there is no such limit.
        meaning: A note on what an MTU is, and on what the figures do not know.
    """

    title: str
    unit: Unit
    usual_price: float
    guardrail: int | None
    meaning: str

    @property
    def has_event_plan(self) -> bool:
        """Whether there is a plan that bills events."""
        return self.unit is Unit.EVENT


BILLS: Final[Mapping[Destination, Bill]] = {
    Destination.SEGMENT: Bill(
        title="Segment",
        unit=Unit.MTU,
        usual_price=0.02,
        guardrail=None,
        meaning=(
            "An MTU is a distinct user in a billing month (UTC, by the time at which Kafka stored the message). Users "
            "who are also tracked by other sources of the workspace are billed anyway, so the real saving may be "
            "smaller."
        ),
    ),
    Destination.MIXPANEL: Bill(
        title="Mixpanel",
        unit=Unit.EVENT,
        usual_price=0.0005,
        guardrail=1_000,
        meaning=(
            "Mixpanel's event plans bill every event. Its older MTU plans bill a distinct user in a calendar month "
            "(UTC, by the time at which Kafka stored the message) with at least one event that counts. Exemption is by "
            "event name and not verified: compare with $all_mtu_events in Insights. Users with other events of the "
            "project are billed anyway."
        ),
    ),
}
"""schemas/SOURCES.md, "Segment tracked users"; schemas/SOURCES.md, "Mixpanel tracked users"."""
