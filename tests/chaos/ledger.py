"""What was written, stored, accepted and committed, noted outside the pipeline. No I/O; compact for half a million."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING, Final

from pipeline.local.traffic_truth import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_ID: Final = -1
_EVIDENCE: Final = 10_000


class Mark(IntFlag):
    """Where a raw message was seen again."""

    FORWARDED = 1
    REJECTED = 2
    REFUSED = 4  # the record of it became a dead letter of the sink


@dataclass(slots=True)
class RawPartition:
    """One partition of the raw topic, by offset: what must become of each message, its id, and where it was seen."""

    fates: bytearray = field(default_factory=bytearray)
    ids: array[int] = field(default_factory=lambda: array("l"))
    marks: bytearray = field(default_factory=bytearray)


class Ledger:
    """Facts, and the one check that cannot wait: whether a commit is ahead of what is settled.

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
        self.displaced: list[str] = []
        self.commits_ahead: list[str] = []
        self.commits_backward: list[str] = []
        self.letters: Counter[str] = Counter()
        self.samples = 0
        self.repeats_after_lost_answers = 0
        self.taken_after_refusal: set[int] = set()
        """Ids that Segment has refused alone to one worker and taken from another: the verdict ended with the first."""
        self._refused_to: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._unanswered: set[int] = set()
        self._letters_before: set[tuple[int, int]] = set()
        self._checked = {"processor": [0] * partitions, "sink": [0] * partitions}
        self._committed: dict[tuple[str, int], int] = {}

    # What happened.

    def wrote(self, partition: int, fate: Fate, message_id: str | None, user: str) -> None:
        """Note a raw message as the next of its partition, before it is sent. Only forwarded ones have an id."""
        place = self.raw[partition]
        place.fates.append(fate)
        place.marks.append(0)
        place.ids.append(NO_ID if message_id is None else self._number(message_id, user))

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
        """Note that Segment has refused a record that was alone in its request."""
        number = self._numbers.get(message_id)
        if number is not None and not self.accepted[number]:
            self._refused_to[number] = caller

    def accept(self, message_id: str, user: str, *, answered: bool = True, caller: str = "") -> None:
        """Note that Segment has taken a record; its answer may never arrive."""
        number = self._numbers.get(message_id)
        if number is None:
            self.unknown_ids[message_id] += 1
            return
        if user != self.users[number]:
            _add(self.foreign_users, f"{message_id}: accepted for another user than written")
        if not self.accepted[number]:
            self.first_accepted.append(number)
            if self._refused_to.pop(number, caller) != caller:
                self.taken_after_refusal.add(number)
        elif number in self._unanswered:
            self.repeats_after_lost_answers += 1
        self.accepted[number] += 1
        if answered:
            self._unanswered.discard(number)
        else:
            self._unanswered.add(number)

    def stored_record(self, partition: int, offset: int, source_partition: int, source_offset: int) -> None:
        """Note a message of the records topic. Each partition is read in order; offsets without a message are gaps."""
        records = self.records[partition]
        while len(records) < offset:
            records.append(NO_ID)
        records.append(source_offset)
        if source_partition != partition:
            _add(self.displaced, f"record {partition}:{offset} came from raw partition {source_partition}")
        self._mark(source_partition, source_offset, Mark.FORWARDED)
        if (partition, offset) in self._letters_before:
            self._letters_before.remove((partition, offset))
            self._mark(partition, source_offset, Mark.REFUSED)

    def stored_letter(self, stage: str, reason: str, partition: int, offset: int) -> None:
        """Record a dead letter. A processor's names a raw message, a sink's a record, which may be read after it."""
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
            _add(self.displaced, f"raw message {partition}:{offset} is named, and was never written")

    @property
    def letters_without_records(self) -> list[str]:
        """Dead letters of a sink whose record has not been read."""
        return [
            f"a dead letter names the record {partition}:{offset}, which was not seen"
            for partition, offset in sorted(self._letters_before)
        ]

    # Commits.

    def committed(self, role: str, offsets: Mapping[int, int]) -> None:
        """Hold committed offsets, read *before* the newest facts above, against these facts."""
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
        """Tell whether a raw message is forwarded, dropped on purpose or dead-lettered."""
        place = self.raw[partition]
        if offset >= len(place.fates):
            return False
        return place.fates[offset] == Fate.DROPPED or bool(place.marks[offset] & (Mark.FORWARDED | Mark.REJECTED))

    def record_is_settled(self, partition: int, offset: int) -> bool:
        """Tell whether a record is accepted or dead-lettered."""
        if offset >= len(self.records[partition]):
            return False
        source = self.records[partition][offset]
        return source == NO_ID or self.is_delivered(partition, source)

    def is_delivered(self, partition: int, offset: int) -> bool:
        """Tell whether the record of a raw message is accepted, or a dead letter of the sink."""
        place = self.raw[partition]
        if offset >= len(place.ids):
            return False
        number = place.ids[offset]
        return bool(place.marks[offset] & Mark.REFUSED) or (number != NO_ID and self.accepted[number] > 0)

    @property
    def written(self) -> int:
        """How many raw messages were written."""
        return sum(len(place.fates) for place in self.raw)


def _add(evidence: list[str], line: str) -> None:
    if len(evidence) < _EVIDENCE:
        evidence.append(line)
