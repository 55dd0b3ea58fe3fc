"""Evaluate the ledger: what was lost, out of order, repeated or unexpected. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.local.traffic_truth import Fate
from tests.chaos.ledger import NO_ID, Mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.ledger import Ledger

_EVIDENCE = 50


@dataclass(slots=True, kw_only=True)
class Finding:
    """A promise, how often it was broken, and where; at most fifty pieces of evidence."""

    promise: str
    count: int = 0
    evidence: list[str] = field(default_factory=list)

    def add(self, case: str) -> None:
        """Record one case."""
        self.count += 1
        if len(self.evidence) < _EVIDENCE:
            self.evidence.append(case)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """The result of a run."""

    lost: Finding
    wrong_fate: Finding
    order: Finding
    late_after_refusal: int
    commit_ahead: Finding
    commit_backward: Finding
    unknown_ids: Finding
    wrong_source: Finding
    duplicates: int
    repeated_by_traffic: int
    rewritten_records: int
    accepted_ids: int
    refused: int
    fates: dict[str, int]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings for every promise."""
        return (
            self.lost,
            self.wrong_fate,
            self.order,
            self.commit_ahead,
            self.commit_backward,
            self.unknown_ids,
            self.wrong_source,
        )

    @property
    def broken(self) -> bool:
        """Return whether any promise was broken."""
        return any(finding.count for finding in self.findings)


def reckon(ledger: Ledger) -> Reckoning:
    """Evaluate the ledger, after everything has been read to its end."""
    occurrences: Counter[int] = Counter()
    origins: dict[int, int] = {}
    lost = Finding(promise="nothing is lost")
    wrong_fate = Finding(promise="each message has the outcome that its rules give it")
    refused = 0
    for number, raw in enumerate(ledger.raw):
        for offset, (fate, identifier, mark) in enumerate(zip(raw.fates, raw.ids, raw.marks, strict=True)):
            where = f"raw {number}:{offset}"
            _judge(ledger, (number, offset), (fate, mark), lost=lost, wrong_fate=wrong_fate)
            refused += bool(mark & Mark.REFUSED)
            if identifier != NO_ID:
                occurrences[identifier] += 1
                if not mark & Mark.REFUSED:
                    origins.setdefault(identifier, offset)
            elif mark & Mark.FORWARDED:
                wrong_fate.add(f"{where} must not be forwarded")
    extra = [
        (identifier, count - occurrences[identifier]) for identifier, count in enumerate(ledger.accepted) if count > 1
    ]
    stored = sum(len(records) - records.count(NO_ID) for records in ledger.records)
    distinct = sum(sum(1 for mark in raw.marks if mark & Mark.FORWARDED) for raw in ledger.raw)
    order, late_after_refusal = _order(ledger, origins)
    return Reckoning(
        lost=lost,
        wrong_fate=wrong_fate,
        order=order,
        late_after_refusal=late_after_refusal,
        commit_ahead=_listed("no commit is ahead of what is settled", ledger.commits_ahead),
        commit_backward=_listed("no commit of an old generation is stored", ledger.commits_backward),
        unknown_ids=_listed(
            "only ids that were written are accepted, each for its user",
            [*ledger.unknown_ids, *ledger.foreign_users],
        ),
        wrong_source=_listed(
            "records and dead letters name their source", [*ledger.wrong_source, *ledger.letters_without_records]
        ),
        duplicates=sum(count for _, count in extra if count > 0),
        repeated_by_traffic=sum(count - 1 for count in occurrences.values()),
        rewritten_records=stored - distinct,
        accepted_ids=len(ledger.first_accepted),
        refused=refused,
        fates={fate.name.lower(): sum(raw.fates.count(fate) for raw in ledger.raw) for fate in Fate},
    )


def _judge(
    ledger: Ledger, message: tuple[int, int], seen: tuple[int, int], *, lost: Finding, wrong_fate: Finding
) -> None:
    """Compare one raw message with its expected outcome."""
    fate, mark = seen
    partition, offset = message
    where = f"raw {partition}:{offset}"
    match Fate(fate):
        case Fate.FORWARDED:
            if not ledger.is_delivered(partition, offset):
                lost.add(f"{where} ({ledger.ids[ledger.raw[partition].ids[offset]]}) did not arrive: {Mark(mark)!r}")
            if mark & Mark.REJECTED:
                wrong_fate.add(f"{where} became a dead letter of the processor")
        case Fate.REJECTED:
            if not mark & Mark.REJECTED:
                lost.add(f"{where} is not among the dead letters")
        case Fate.DROPPED:
            if mark & Mark.REJECTED:
                wrong_fate.add(f"{where} must be dropped and is a dead letter")


def _order(ledger: Ledger, origins: dict[int, int]) -> tuple[Finding, int]:
    """Check the order of first acceptance per user against the raw topic. A user has one partition.

    Return also how many records are late as docs/guarantees.md, 4 allows, after a refusal.
    """
    finding = Finding(promise="each user's records are first accepted in the order of the raw topic")
    last: dict[str, tuple[int, int]] = {}
    accepted: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)  # offsets, each with its place
    allowed = 0
    for place, identifier in enumerate(ledger.first_accepted):
        user = ledger.users[identifier]
        offset = origins.get(identifier)
        if (
            offset is None
        ):  # every record of it became a dead letter: an answer was lost, and the record was refused afterwards
            continue
        before = last.get(user)
        if before is None or offset > before[0]:
            last[user] = (offset, identifier)
        elif _is_excused(accepted[user], offset, ledger.accepted_after_refusal.get(identifier)):
            allowed += 1
        else:
            finding.add(
                f"{ledger.ids[identifier]} (offset {offset}) was accepted after {ledger.ids[before[1]]}"
                f" (offset {before[0]})"
            )
        accepted[user].append((offset, place))
    return finding, allowed


def _is_excused(accepted: Sequence[tuple[int, int]], offset: int, accepted_before: int | None) -> bool:
    """Return whether a refusal explains that a record is late: all later ones were accepted after it."""
    if accepted_before is None:
        return False
    return all(place >= accepted_before for later, place in accepted if later > offset)


def _listed(promise: str, cases: list[str]) -> Finding:
    return Finding(promise=promise, count=len(cases), evidence=cases[:_EVIDENCE])
