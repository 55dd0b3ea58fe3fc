"""What was written, stored, accepted and committed, recorded outside the pipeline. No I/O; compact."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.local.traffic_truth import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_ID: Final = -1
_EVIDENCE: Final = 10_000
_ANYONE: Final = "anyone"


class Mark(IntFlag):
    """What was observed of a raw message."""

    FORWARDED = 1
    REJECTED = 2
    REFUSED = 4  # its record became a dead letter of the sink


@dataclass(slots=True)
class RawPartition:
    """One partition of the raw topic, by offset: expected outcome, id, and what was observed of each message."""

    fates: bytearray = field(default_factory=bytearray)
    ids: array[int] = field(default_factory=lambda: array("l"))
    marks: bytearray = field(default_factory=bytearray)


class _Refusal(NamedTuple):
    """To whom a record was refused, and how many ids had been accepted before it was refused first."""

    caller: str
    accepted_before: int


class Ledger:
    """Facts, and the one check that must be done at once: whether a commit is ahead of what is settled.

    Message ids are numbered in the order in which they were first written.
    """

    def __init__(self, partitions: int) -> None:
        self.raw = [RawPartition() for _ in range(partitions)]
        self.records = [array("l") for _ in range(partitions)]  # raw offset of each record, by the record's offset
        self.ids: list[str] = []
        self.users: list[str] = []
        self.accepted = array("l")  # how often each id was accepted
        self.first_accepted = array("l")  # ids in the order of their first acceptance
        self.unknown_ids: Counter[str] = Counter()
        self.foreign_users: list[str] = []
        self.wrong_source: list[str] = []
        self.commits_ahead: list[str] = []
        self.commits_backward: list[str] = []
        self.letters: Counter[str] = Counter()
        self.samples = 0
        self.repeats_after_lost_answers = 0
        self.accepted_after_refusal: dict[int, int] = {}
        """Ids that a destination refused and accepted later, as docs/guarantees.md, 4 allows: without another record to
        one worker, then accepted from another, because the first lost its verdict; or beside others that it accepted.
        Each with the number of first acceptances before its first refusal: records accepted until then excuse it not.
        """
        self._refused: dict[int, _Refusal] = {}
        self._numbers: dict[str, int] = {}
        self._unanswered: set[int] = set()
        self._letters_before: set[tuple[int, int]] = set()
        self._checked = {"processor": [0] * partitions, "sink": [0] * partitions}
        self._committed: dict[tuple[str, int], int] = {}

    # What happened.

    def wrote(self, partition: int, fate: Fate, message_id: str | None, user: str) -> None:
        """Record a raw message as the next of its partition, before it is sent. Only forwarded messages have an id."""
        raw = self.raw[partition]
        raw.fates.append(fate)
        raw.marks.append(0)
        raw.ids.append(NO_ID if message_id is None else self._number(message_id, user))

    def _number(self, message_id: str, user: str) -> int:
        number = self._numbers.get(message_id)
        if number is None:
            number = len(self.ids)
            self.accepted.append(0)
            self.users.append(user)
            self.ids.append(message_id)
            self._numbers[message_id] = number
        return number

    def refused_alone(self, message_id: str, *, caller: str) -> None:
        """Record that the destination has refused a record, and accepted no other one of its request."""
        self._refuse(message_id, caller)

    def refused_beside_others(self, message_id: str) -> None:
        """Record that the destination has refused a record, before it accepts others of its request."""
        self._refuse(message_id, _ANYONE)

    def _refuse(self, message_id: str, caller: str) -> None:
        number = self._numbers.get(message_id)
        if number is None or self.accepted[number]:
            return
        before = self._refused.get(number)
        if before is None:
            self._refused[number] = _Refusal(caller, len(self.first_accepted))
        elif before.caller != _ANYONE:
            self._refused[number] = before._replace(caller=caller)

    def accept(self, message_id: str, user: str, *, answered: bool = True, caller: str = "") -> None:
        """Record that the destination has accepted a record; its answer may never arrive."""
        number = self._numbers.get(message_id)
        if number is None:
            self.unknown_ids[message_id] += 1
            return
        if user != self.users[number]:
            _add(self.foreign_users, f"{message_id}: accepted for another user than written")
        if not self.accepted[number]:
            self.first_accepted.append(number)
            refusal = self._refused.pop(number, None)
            if refusal is not None and refusal.caller != caller:
                self.accepted_after_refusal[number] = refusal.accepted_before
        elif number in self._unanswered:
            self.repeats_after_lost_answers += 1
        self.accepted[number] += 1
        if answered:
            self._unanswered.discard(number)
        else:
            self._unanswered.add(number)

    def stored_record(self, partition: int, offset: int, source_partition: int, source_offset: int) -> None:
        """Record a message of the records topic. Partitions are read in order; offsets without a message are gaps."""
        records = self.records[partition]
        while len(records) < offset:
            records.append(NO_ID)
        records.append(source_offset)
        if source_partition != partition:
            _add(self.wrong_source, f"record {partition}:{offset} was made from raw partition {source_partition}")
        self._mark(source_partition, source_offset, Mark.FORWARDED)
        if (partition, offset) in self._letters_before:
            self._letters_before.remove((partition, offset))
            self._mark(partition, source_offset, Mark.REFUSED)

    def stored_letter(self, stage: str, reason: str, partition: int, offset: int) -> None:
        """Record a dead letter, which names a raw message (processor) or a record that may be read after it (sink)."""
        self.letters[f"{stage}: {reason}"] += 1
        if stage == "processor":
            self._mark(partition, offset, Mark.REJECTED)
        elif offset < len(self.records[partition]):
            self._mark(partition, self.records[partition][offset], Mark.REFUSED)
        else:
            self._letters_before.add((partition, offset))

    def _mark(self, partition: int, offset: int, mark: Mark) -> None:
        marks = self.raw[partition].marks
        if 0 <= offset < len(marks):
            marks[offset] |= mark
        else:
            _add(
                self.wrong_source,
                f"raw message {partition}:{offset} is named as a source, but was never written",
            )

    @property
    def letters_without_records(self) -> list[str]:
        """Return the dead letters of a sink whose record has not been read."""
        return [
            f"a dead letter names the record {partition}:{offset}, which was never read"
            for partition, offset in sorted(self._letters_before)
        ]

    # Commits.

    def committed(self, role: str, offsets: Mapping[int, int]) -> None:
        """Check committed offsets, which were read *before* the newest facts above, against these facts."""
        for partition, offset in offsets.items():
            before = self._committed.get((role, partition), 0)
            if offset < before:
                _add(self.commits_backward, f"{role}, partition {partition}: from {before} to {offset}")
            self._committed[role, partition] = offset
            for each in range(self._checked[role][partition], offset):
                if not (self.raw_is_settled if role == "processor" else self.record_is_settled)(partition, each):
                    _add(self.commits_ahead, f"{role}, partition {partition}: {offset} committed, {each} not settled")
            self._checked[role][partition] = max(offset, self._checked[role][partition])

    def raw_is_settled(self, partition: int, offset: int) -> bool:
        """Return whether a raw message is forwarded, dropped on purpose or dead-lettered."""
        raw = self.raw[partition]
        if offset >= len(raw.fates):
            return False
        return raw.fates[offset] == Fate.DROPPED or bool(raw.marks[offset] & (Mark.FORWARDED | Mark.REJECTED))

    def record_is_settled(self, partition: int, offset: int) -> bool:
        """Return whether a record is accepted or dead-lettered."""
        if offset >= len(self.records[partition]):
            return False
        source = self.records[partition][offset]
        return source == NO_ID or self.is_delivered(partition, source)

    def is_delivered(self, partition: int, offset: int) -> bool:
        """Return whether the record of a raw message is accepted, or a dead letter of the sink."""
        raw = self.raw[partition]
        if offset >= len(raw.ids):
            return False
        number = raw.ids[offset]
        return bool(raw.marks[offset] & Mark.REFUSED) or (number != NO_ID and self.accepted[number] > 0)

    @property
    def written(self) -> int:
        """Return how many raw messages were written."""
        return sum(len(raw.fates) for raw in self.raw)


def _add(evidence: list[str], case: str) -> None:
    if len(evidence) < _EVIDENCE:
        evidence.append(case)
