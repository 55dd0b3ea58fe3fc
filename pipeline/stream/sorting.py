"""What a batch of raw messages becomes: entries to forward, dead letters to store, and what is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.core.events import decode as decode_json
from pipeline.core.kinds import Category
from pipeline.core.outcomes import Deliver, Drop, DropReason, Reject, RejectReason
from pipeline.core.processing import process
from pipeline.kafka import headers
from pipeline.kafka.dead_letters import DeadLetter, Stage
from pipeline.kafka.producer import Entry
from pipeline.stream.memory import NothingRemembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.core.events import Event
    from pipeline.core.filters import Rules
    from pipeline.core.ids import IdField, IgnoredId
    from pipeline.core.kinds import Kind
    from pipeline.core.messages import Message, MessageBatch
    from pipeline.core.outcomes import StateChange
    from pipeline.core.policy import Policy
    from pipeline.stream.memory import Memory

_BY_RULE: Final = frozenset({DropReason.RULE, DropReason.SAMPLED_OUT, DropReason.NOT_TRACKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTally:
    """How many events each rule kept and dropped, and each shadow would have decided, by the rule's short name."""

    kept: Mapping[str, int]
    dropped: Mapping[str, int]
    shadowed: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How the messages of one batch came out. Every message is in exactly one of the three counters."""

    received: int
    forwarded: Counter[Kind]
    dropped: Counter[tuple[Kind | None, DropReason]]
    rejected: Counter[tuple[Kind | None, RejectReason]]
    foreign_keys: int
    """Forwarded events whose message was not keyed by their user: order is not promised for them."""
    filled: int
    """Forwarded events to which the message catalogue gave what they did not say any more."""
    untimed: int
    """Forwarded events that told no time that can be read, so theirs is Kafka's."""
    ignored_ids: Mapping[IdField, int]
    """Ids that were present and not used, for they stand for nobody or for nothing."""
    rules: RuleTally

    @property
    def alarming(self) -> int:
        """How many rejects nobody asked for. Those of anonymous users come of a setting that says so."""
        return sum(count for (_, reason), count in self.rejected.items() if reason is not RejectReason.ANONYMOUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedBatch:
    """One batch, decided and not yet written. Records, letters and changes keep the order of the batch."""

    batch: MessageBatch
    changes: list[StateChange]
    records: list[Entry]
    letters: list[DeadLetter]
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """How raw messages are read, and how records are written; `encode_record` None leaves them as they were built."""

    decode: Callable[[bytes], Event | RejectReason] = decode_json
    encode_record: Callable[[bytes], bytes] | None = None

    @property
    def record_version(self) -> bytes:
        return headers.RECORD_FORMAT if self.encode_record is None else headers.AVRO_RECORD_FORMAT


JSON_ONLY: Final = Formats()
NOTHING_REMEMBERED: Final = NothingRemembered()


def sort_batch(
    batch: MessageBatch, policy: Policy, formats: Formats = JSON_ONLY, memory: Memory = NOTHING_REMEMBERED
) -> SortedBatch:
    """Decide every message of a batch."""
    sorting = _Sorting(policy.rules, memory)
    records: list[Entry] = []
    letters: list[DeadLetter] = []
    source = (headers.SOURCE_PARTITION, b"%d" % batch.partition)
    version = (headers.FORMAT_VERSION, formats.record_version)
    decode, encode = formats.decode, formats.encode_record
    rules = policy.version.encode()
    decided_by = (headers.RULES_VERSION, rules)
    for message in batch.messages:
        match process(message, policy, memory.state, decode):
            case Deliver() as delivered:
                place = [version, source, (headers.SOURCE_OFFSET, str(message.offset).encode()), decided_by]
                record = delivered.record if encode is None else encode(delivered.record)
                records.append(Entry(delivered.user_key, record, None, place))
                sorting.delivered(delivered, message)
            case Drop() as dropped:
                sorting.dropped_one(dropped, message)
            case Reject(kind=kind, reason=reason, ignored=ignored):
                letter = DeadLetter(stage=Stage.PROCESSOR, reason=reason, message=message, rules_version=rules)
                letters.append(letter)
                sorting.rejected[kind, reason] += 1
                sorting.ignored(ignored)
    return SortedBatch(
        batch=batch,
        changes=sorting.changes,
        records=records,
        letters=letters,
        tally=sorting.tally(received=len(batch.messages)),
    )


class _Sorting:
    """Counts the outcomes of a batch as they come, and has the memory take in what they change."""

    def __init__(self, rules: Rules, memory: Memory) -> None:
        self.changes: list[StateChange] = []
        self.rejected: Counter[tuple[Kind | None, RejectReason]] = Counter()
        self._rules = rules
        self._memory = memory
        self._forwarded: Counter[Kind] = Counter()
        self._dropped: Counter[tuple[Kind | None, DropReason]] = Counter()
        self._kept_by: Counter[int | None] = Counter()
        self._dropped_by: Counter[int | None] = Counter()
        self._shadowed_by: Counter[int | None] = Counter()
        self._foreign_keys = 0
        self._filled = 0
        self._untimed = 0
        self._ignored_ids: Counter[IdField] = Counter()

    def delivered(self, outcome: Deliver, message: Message) -> None:
        self._forwarded[outcome.kind] += 1
        self._kept_by[outcome.rule] += 1
        self._foreign_keys += message.key != outcome.user_key
        self._filled += outcome.filled
        self._untimed += not outcome.is_timed
        if outcome.ignored:
            self.ignored(outcome.ignored)
        if outcome.change is not None:
            self._change(outcome.change)
        if outcome.shadows:
            self._shadowed(outcome, message)

    def dropped_one(self, outcome: Drop, message: Message) -> None:
        kind, reason = outcome.kind, outcome.reason
        self._dropped[kind, reason] += 1
        if outcome.ignored:
            self.ignored(outcome.ignored)
        if reason in _BY_RULE:
            self._dropped_by[outcome.rule] += 1
            if kind is not None and kind.category is Category.DELIVERY and outcome.user_key:
                self._memory.dropped_delivery(outcome.user_key, message.timestamp)
        if outcome.change is not None:
            self._change(outcome.change)
        if outcome.shadows:
            self._shadowed(outcome, message)

    def ignored(self, ids: Iterable[IgnoredId]) -> None:
        for each in ids:
            self._ignored_ids[each.field] += 1

    def tally(self, *, received: int) -> Tally:
        return Tally(
            received=received,
            forwarded=self._forwarded,
            dropped=self._dropped,
            rejected=self.rejected,
            foreign_keys=self._foreign_keys,
            filled=self._filled,
            untimed=self._untimed,
            ignored_ids=self._ignored_ids,
            rules=RuleTally(
                kept=self._named(self._kept_by.items()),
                dropped=self._named(self._dropped_by.items()),
                shadowed=self._named(self._shadowed_by.items()),
            ),
        )

    def _change(self, change: StateChange) -> None:
        self._memory.remember(change)
        self.changes.append(change)

    def _shadowed(self, outcome: Deliver | Drop, message: Message) -> None:
        for place in outcome.shadows:
            self._shadowed_by[place] += 1
            if outcome.user_key:
                self._memory.shadowed(self._rules.label(place), outcome.user_key, message.timestamp)

    def _named(self, counts: Iterable[tuple[int | None, int]]) -> Mapping[str, int]:
        named: Counter[str] = Counter()
        for place, count in counts:
            named[self._rules.label(place)] += count
        return named
