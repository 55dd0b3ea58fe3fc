"""Compare the counts at the end of a demo: what was written, what was seen in Kafka, and what arrived.

The sums use only what survives a killed worker: offsets and headers in Kafka, dead letters, the stand-in's ledger, and
what the generator knows about its messages. The workers' counters are compared only if no worker was killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.core.classification import Destination
from pipeline.local.traffic_truth import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.local.demo_observer import Observed, Sightings
    from pipeline.local.demo_presets import PresetComparison
    from pipeline.local.demo_watch import Snapshot
    from pipeline.local.traffic_truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """One sum: ``total`` must equal the sum of ``parts``, some of which are negative. ``where`` names a stage."""

    where: str
    total: tuple[str, int]
    parts: tuple[tuple[str, int], ...]

    @property
    def adds_up(self) -> bool:
        """Whether both sides are equal."""
        return self.total[1] == sum(number for _, number in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One claim and the number of exceptions found. The claim holds if there are none."""

    claim: str
    exceptions: int

    @property
    def holds(self) -> bool:
        """Whether the claim is true."""
        return self.exceptions == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What a stand-in accepted: the user of each id, in the order of first acceptance."""

    users: Mapping[str, str]
    thrown_away: Mapping[str, int]
    faults: Mapping[str, int]
    requests: int


def _seen(sightings: Sightings) -> int:
    return sum(len(counts) - counts.count(0) for counts in sightings.values())


def _fates_missed(truth: Truth, observed: Observed) -> int:
    """Count messages whose outcome is not the expected one, and those that were both forwarded and rejected."""
    missed = 0
    for partition, fates in truth.fates.items():
        forwarded, rejected = observed.forwarded.get(partition, b""), observed.rejected.get(partition, b"")
        missed += max(0, len(forwarded) - len(fates)) + max(0, len(rejected) - len(fates))
        for offset, fate in enumerate(fates):
            is_forwarded = offset < len(forwarded) and forwarded[offset] > 0
            is_rejected = offset < len(rejected) and rejected[offset] > 0
            missed += (is_forwarded, is_rejected) != (fate == Fate.FORWARDED, fate == Fate.REJECTED)
    return missed


def _out_of_order(truth: Truth, arrivals: Arrivals) -> int:
    """Count users with a record that was accepted before one with a lower offset in the raw topic."""
    last: dict[str, int] = {}
    disordered: set[str] = set()
    for message_id in arrivals.users:
        origin = truth.ids.get(message_id)
        if origin is not None:
            if origin.offset < last.get(origin.user, -1):
                disordered.add(origin.user)
            last[origin.user] = origin.offset
    return len(disordered)


def sums(title: str, truth: Truth, observed: Observed, arrivals: Arrivals, snapshot: Snapshot) -> list[Sum]:
    """Return the sums of a destination's processor, its sink and itself; ``title`` is its name."""
    forwarded, rejected = _seen(observed.forwarded), _seen(observed.rejected)
    rejected_by_sink = _seen(observed.rejected_by_sink)
    accepted = sum(1 + truth.repeated[message_id] for message_id in arrivals.users if message_id in truth.ids)
    return [
        Sum(
            where=f"{title} processor",
            total=("received", truth.written),
            parts=(
                ("forwarded", forwarded),
                ("dropped", truth.counts[Fate.DROPPED]),
                ("rejected", rejected),
                ("in flight", snapshot.raw.total_unread()),
            ),
        ),
        Sum(
            where=f"{title} sink",
            total=("received", forwarded),
            parts=(
                ("accepted", accepted),
                ("rejected", rejected_by_sink),
                ("in flight", snapshot.records.total_unread()),
            ),
        ),
        Sum(
            where=title,
            total=("distinct ids", len(arrivals.users)),
            parts=(
                ("forwarded", forwarded),
                ("repeated ids", -truth.repeated.total()),
                ("rejected by the sink", -rejected_by_sink),
            ),
        ),
    ]


def checks(
    title: str, truth: Truth, observed: Observed, arrivals: Arrivals, comparison: PresetComparison
) -> list[Check]:
    """Return the checks of what the sums cannot show; ``title`` is the destination's name."""
    users_differ = sum(truth.ids[each].user != user for each, user in arrivals.users.items() if each in truth.ids)
    presets_differ = sum(
        tally.events != truth.forwarded_under[preset.value]
        or {user.decode() for user in tally.users} != truth.under[preset.value].users
        for preset, tally in comparison.tallies[Destination(truth.destination)].items()
    )
    return [
        Check(
            claim=f"{title}: each message was forwarded, dropped or rejected as expected",
            exceptions=_fates_missed(truth, observed),
        ),
        Check(
            claim=f"{title} has exactly the expected ids",
            exceptions=len(truth.ids.keys() ^ arrivals.users.keys()),
        ),
        Check(claim=f"{title}: each id has the expected user", exceptions=users_differ),
        Check(claim=f"{title}: each user's records were accepted in order", exceptions=_out_of_order(truth, arrivals)),
        Check(claim=f"{title}: each record is in the partition of its source message", exceptions=observed.displaced),
        Check(
            claim=f"{title}: no email address, phone number or push token left the pipeline", exceptions=observed.leaks
        ),
        Check(claim=f"{title}: core and generator agree on every preset", exceptions=presets_differ),
    ]


_COUNTERS = "onesignal_pipeline_"


def counter_check(title: str, counters: Mapping[str, float], truth: Truth) -> Check:
    """Compare the counters of a destination's workers with the truth. Valid only if no worker was killed."""
    forwarded = truth.counts[Fate.FORWARDED]
    expected = {
        "events_received_total": truth.written,
        "events_forwarded_total": forwarded,
        "events_dropped_total": truth.counts[Fate.DROPPED],
        "events_rejected_total": truth.counts[Fate.REJECTED],
        "sink_records_received_total": forwarded,
        "sink_records_accepted_total": forwarded,
        "sink_records_rejected_total": 0,
        "tracked_users": len(truth.under[truth.preset].users),
    }
    wrong = sum(counters.get(f"{_COUNTERS}{name}", 0) != value for name, value in expected.items())
    return Check(claim=f"{title}: the workers' counters agree", exceptions=wrong)
