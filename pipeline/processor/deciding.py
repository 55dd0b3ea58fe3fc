"""Decide a batch of raw messages: records to forward, dead letters to store, and what is counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from pipeline.core.events import decode as decode_json
from pipeline.core.ids import IdField
from pipeline.core.kinds import Category, Kind
from pipeline.core.messages import MessageBatch
from pipeline.core.outcomes import Deliver, Drop, DropReason, Reject, RejectReason, StateChange
from pipeline.core.processing import process
from pipeline.core.rejection_words import json_words
from pipeline.kafka import headers
from pipeline.kafka.dead_letters import DeadLetter, Stage
from pipeline.kafka.producer import OutboundMessage
from pipeline.processor.state import NoState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.core.events import Event
    from pipeline.core.filters import Rules
    from pipeline.core.ids import IgnoredId
    from pipeline.core.messages import Message
    from pipeline.core.policy import Policy
    from pipeline.processor.state import PartitionStateView

Key = TypeVar("Key")

_NONE: Final[Mapping[str, int]] = {}
_BY_RULE: Final = frozenset({DropReason.RULE, DropReason.SAMPLED_OUT, DropReason.NOT_TRACKED})


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes of one batch, counted. Every message is in exactly one of the three counters.

    Rules go by their short names. What is asked of a whole round alone is added up when it is asked for.
    """

    received: int
    kept: Mapping[tuple[Kind, str], int]
    """Forwarded events by their kind and the rule that kept them."""
    dropped: Mapping[tuple[Kind | None, DropReason], int]
    rejected: Mapping[tuple[Kind | None, RejectReason], int]
    dropped_by: Mapping[str, int]
    """Events by the rule that dropped them."""
    shadowed_by: Mapping[str, int]
    """Events by the shadow rule that would have matched them."""
    foreign_keys: int
    """Forwarded events whose message was not keyed by their user: their order is not guaranteed."""
    filled: int
    """Forwarded events that the message catalogue completed."""
    untimed: int
    """Forwarded events without a readable time, which get Kafka's timestamp."""
    ignored_ids: Mapping[IdField, int]
    """Ids that were present but not used, because they identify nobody."""

    @property
    def forwarded(self) -> Mapping[Kind, int]:
        """Forwarded events by their kind."""
        return _added({kind: count} for (kind, _), count in self.kept.items())

    @property
    def kept_by(self) -> Mapping[str, int]:
        """Events by the rule that kept them."""
        return _added({rule: count} for (_, rule), count in self.kept.items())

    @property
    def alarming(self) -> int:
        """Rejects that count towards the breaker: all except those that the anonymous policy asked for."""
        return sum(count for (_, reason), count in self.rejected.items() if reason is not RejectReason.ANONYMOUS)


def sum_of(tallies: Sequence[Tally]) -> Tally:
    """Add up the tallies of several batches; at least one."""
    if len(tallies) == 1:
        return tallies[0]
    return Tally(
        received=sum([each.received for each in tallies]),
        kept=_added([each.kept for each in tallies]),
        dropped=_added([each.dropped for each in tallies]),
        rejected=_added([each.rejected for each in tallies]),
        dropped_by=_added([each.dropped_by for each in tallies]),
        shadowed_by=_added([each.shadowed_by for each in tallies]),
        foreign_keys=sum([each.foreign_keys for each in tallies]),
        filled=sum([each.filled for each in tallies]),
        untimed=sum([each.untimed for each in tallies]),
        ignored_ids=_added([each.ignored_ids for each in tallies]),
    )


def _added(parts: Iterable[Mapping[Key, int]]) -> Mapping[Key, int]:
    whole: dict[Key, int] = {}
    for part in parts:
        for key, count in part.items():
            whole[key] = whole.get(key, 0) + count
    return whole


class DecidedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that is decided and not yet written. Records, letters and changes keep the order of the batch."""

    batch: MessageBatch
    changes: list[StateChange]
    records: list[OutboundMessage]
    letters: list[DeadLetter]
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """How raw messages are read, and how records are written. Without `encode_record`, records are not encoded.

    ``words`` returns what the decoder knows about a body that was rejected, beyond the reason.
    """

    decode: Callable[[bytes], Event | RejectReason] = decode_json
    words: Callable[[bytes, RejectReason], str | None] = json_words
    encode_record: Callable[[bytes], bytes] | None = None

    @property
    def record_version(self) -> bytes:
        return headers.RECORD_FORMAT if self.encode_record is None else headers.AVRO_RECORD_FORMAT


STAGE: Final = Stage("processor")
JSON_ONLY: Final = Formats()
NO_STATE: Final = NoState()


def decide_batch(
    batch: MessageBatch, policy: Policy, formats: Formats = JSON_ONLY, view: PartitionStateView = NO_STATE
) -> DecidedBatch:
    """Decide every message of a batch."""
    outcomes = _Outcomes(policy.rules, view)
    records: list[OutboundMessage] = []
    letters: list[DeadLetter] = []
    source = (headers.SOURCE_PARTITION, b"%d" % batch.partition)
    version = (headers.FORMAT_VERSION, formats.record_version)
    decode, encode = formats.decode, formats.encode_record
    rules = policy.version.encode()
    decided_by = (headers.RULES_VERSION, rules)
    state = view.state
    for message in batch.messages:
        match process(message, policy, state, decode):
            case Deliver() as delivered:
                origin = [version, source, (headers.SOURCE_OFFSET, str(message.offset).encode()), decided_by]
                record = delivered.record if encode is None else encode(delivered.record)
                records.append(OutboundMessage(delivered.user_key, record, None, origin))
                outcomes.delivered(delivered, message)
            case Drop() as dropped:
                outcomes.dropped_one(dropped, message)
            case Reject(kind=kind, reason=reason, ignored=ignored):
                letters.append(_letter(message, kind, reason, policy, formats))
                outcomes.rejected[kind, reason] += 1
                outcomes.ignored(ignored)
    return DecidedBatch(
        batch=batch,
        changes=outcomes.changes,
        records=records,
        letters=letters,
        tally=outcomes.tally(received=len(batch.messages)),
    )


def _letter(message: Message, kind: Kind | None, reason: RejectReason, policy: Policy, formats: Formats) -> DeadLetter:
    """Return the dead letter of a rejected message. The name of an unknown kind may be any text, so it is left out."""
    return DeadLetter(
        stage=STAGE,
        destination=policy.records.destination,
        reason=reason,
        message=message,
        kind=kind.name if kind is not None and kind.known and kind.name else None,
        rules_version=policy.version.encode(),
        detail=formats.words(message.value or b"", reason),
    )


class _Outcomes:
    """Counts the outcomes of a batch in order, and applies their changes to the state."""

    def __init__(self, rules: Rules, view: PartitionStateView) -> None:
        self.changes: list[StateChange] = []
        self.rejected: defaultdict[tuple[Kind | None, RejectReason], int] = defaultdict(int)
        self._rules = rules
        self._view = view
        self._delivered: defaultdict[tuple[Kind, int | None], int] = defaultdict(int)
        self._dropped: defaultdict[tuple[Kind | None, DropReason], int] = defaultdict(int)
        self._dropped_by: defaultdict[int | None, int] = defaultdict(int)
        self._shadowed_by: defaultdict[int | None, int] = defaultdict(int)
        self._foreign_keys = 0
        self._filled = 0
        self._untimed = 0
        self._ignored_ids: defaultdict[IdField, int] = defaultdict(int)

    def delivered(self, outcome: Deliver, message: Message) -> None:
        self._delivered[outcome.kind, outcome.rule] += 1
        if message.key != outcome.user_key:
            self._foreign_keys += 1
        if outcome.filled:
            self._filled += 1
        if not outcome.is_timed:
            self._untimed += 1
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
                self._view.dropped_delivery(outcome.user_key, message.timestamp)
        if outcome.change is not None:
            self._change(outcome.change)
        if outcome.shadows:
            self._shadowed(outcome, message)

    def ignored(self, ids: Iterable[IgnoredId]) -> None:
        for each in ids:
            self._ignored_ids[each.field] += 1

    def tally(self, *, received: int) -> Tally:
        label = self._rules.label  # several rules may have the same
        kept: dict[tuple[Kind, str], int] = {}
        for (kind, rule), count in self._delivered.items():
            at = kind, label(rule)
            kept[at] = kept.get(at, 0) + count
        return Tally(
            received=received,
            kept=kept,
            dropped=self._dropped,
            rejected=self.rejected,
            dropped_by=self._by_label(self._dropped_by),
            shadowed_by=self._by_label(self._shadowed_by),
            foreign_keys=self._foreign_keys,
            filled=self._filled,
            untimed=self._untimed,
            ignored_ids=self._ignored_ids,
        )

    def _by_label(self, counts: Mapping[int | None, int]) -> Mapping[str, int]:
        if not counts:
            return _NONE
        return _added({self._rules.label(rule): count} for rule, count in counts.items())

    def _change(self, change: StateChange) -> None:
        self._view.remember(change)
        self.changes.append(change)

    def _shadowed(self, outcome: Deliver | Drop, message: Message) -> None:
        for rule in outcome.shadows:
            self._shadowed_by[rule] += 1
            if outcome.user_key:
                self._view.shadowed(self._rules.label(rule), outcome.user_key, message.timestamp)
