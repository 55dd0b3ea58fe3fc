"""What a batch of raw messages becomes: entries to forward, dead letters to store, and what is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.core.events import decode as decode_json
from pipeline.core.outcomes import Deliver, Drop, DropReason, Reject, RejectReason
from pipeline.core.processing import STATELESS, process
from pipeline.kafka import headers
from pipeline.kafka.dead_letters import DeadLetter, Stage
from pipeline.kafka.producer import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.core.events import Event
    from pipeline.core.kinds import Kind
    from pipeline.core.messages import MessageBatch
    from pipeline.core.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How the messages of one batch came out. Every message is in exactly one of the three counters."""

    received: int
    forwarded: Counter[Kind]
    dropped: Counter[tuple[Kind | None, DropReason]]
    rejected: Counter[tuple[Kind | None, RejectReason]]
    foreign_keys: int
    """Forwarded events whose message was not keyed by their user: order is not promised for them."""

    @property
    def alarming(self) -> int:
        """How many rejects nobody asked for. Those of anonymous users come of a setting that says so."""
        return sum(count for (_, reason), count in self.rejected.items() if reason is not RejectReason.ANONYMOUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedBatch:
    """One batch, decided and not yet written. Records and letters keep the order of the batch."""

    batch: MessageBatch
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


def sort_batch(batch: MessageBatch, policy: Policy, formats: Formats = JSON_ONLY) -> SortedBatch:
    """Decide every message of a batch."""
    records: list[Entry] = []
    letters: list[DeadLetter] = []
    forwarded: Counter[Kind] = Counter()
    dropped: Counter[tuple[Kind | None, DropReason]] = Counter()
    rejected: Counter[tuple[Kind | None, RejectReason]] = Counter()
    foreign_keys = 0
    source = (headers.SOURCE_PARTITION, b"%d" % batch.partition)
    version = (headers.FORMAT_VERSION, formats.record_version)
    decode, encode = formats.decode, formats.encode_record
    rules = policy.version.encode()
    decided_by = (headers.RULES_VERSION, rules)
    for message in batch.messages:
        match process(message, policy, STATELESS, decode):
            case Deliver() as delivered:
                foreign_keys += message.key != delivered.user_key
                place = [version, source, (headers.SOURCE_OFFSET, str(message.offset).encode()), decided_by]
                record = delivered.record if encode is None else encode(delivered.record)
                records.append(Entry(delivered.user_key, record, None, place))
                forwarded[delivered.kind] += 1
            case Drop(kind=kind, reason=drop_reason):
                dropped[kind, drop_reason] += 1
            case Reject(kind=kind, reason=reject_reason):
                letters.append(
                    DeadLetter(stage=Stage.PROCESSOR, reason=reject_reason, message=message, rules_version=rules)
                )
                rejected[kind, reject_reason] += 1
    return SortedBatch(
        batch=batch,
        records=records,
        letters=letters,
        tally=Tally(
            received=len(batch.messages),
            forwarded=forwarded,
            dropped=dropped,
            rejected=rejected,
            foreign_keys=foreign_keys,
        ),
    )
