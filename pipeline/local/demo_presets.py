"""Compare the presets on the same traffic with the pipeline's own core.

Each message is decoded once and decided by the filters of every preset. That is `pipeline.core.processing.process`
without the records, which would be too slow to build once for each preset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pipeline.core.classification import Destination
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.segment.builders import SegmentRecords
from pipeline.core.events import decode
from pipeline.core.identity import identify, user_key
from pipeline.core.kinds import Action
from pipeline.core.outcomes import RejectReason
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.rules import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pipeline.core.record_builders import RecordBuilders
    from pipeline.local.traffic_truth import TrafficMessage


@dataclass(slots=True)
class Tally:
    """What one preset would forward to one destination. ``users`` are those whom it would bill."""

    policy: Policy
    events: int = 0
    sent: int = 0
    users: set[bytes] = field(default_factory=set)


def _tallies(records: RecordBuilders) -> dict[Preset, Tally]:
    return {preset: Tally(Policy(records=records, rules=preset_rules(preset))) for preset in Preset}


_RECORDS: Final[Mapping[Destination, RecordBuilders]] = {
    Destination.SEGMENT: SegmentRecords(),
    Destination.MIXPANEL: MixpanelRecords(),
}


@dataclass(slots=True)
class PresetComparison:
    """The events and the billed users (MTUs) that each preset would forward to each destination, all in one month."""

    tallies: Mapping[Destination, Mapping[Preset, Tally]] = field(
        default_factory=lambda: {destination: _tallies(records) for destination, records in _RECORDS.items()}
    )

    def watching(self, messages: Iterable[TrafficMessage]) -> Iterator[TrafficMessage]:
        """Yield the messages, and count each under every preset."""
        for message in messages:
            if message.value is not None:
                self._compare(message.value)
            yield message

    def _compare(self, value: bytes) -> None:
        event = decode(value)
        if isinstance(event, RejectReason):
            return
        identity = identify(event)
        key = user_key(identity)
        if not key:
            return
        kind, is_anonymous = event.event.kind, identity.user_id is None
        for tally in (tally for of_presets in self.tallies.values() for tally in of_presets.values()):
            plan = tally.policy.plan_for(kind)
            filters = plan.anonymous if is_anonymous else plan.identified
            verdict = filters.ruling(event).decision.verdict
            is_kept = verdict is Verdict.KEEP or (verdict is Verdict.TRACKED_ONLY and key in tally.users)
            if plan.refusal is None and is_kept:
                tally.events += 1
                tally.sent += plan.kind.action is Action.SENT
                if plan.is_counted:
                    tally.users.add(key)
