"""Everything that leaves the pipeline for fixed input, as hashes: what a change of form alone must not change.

`python -m tests.golden.bytes_out` writes them again, for a change that is meant to change bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry

from pipeline.core.billing_month import BillingMonth
from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.core.destinations.segment.avro import encode_record
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.rules_file import parse_rules
from pipeline.delivery.answers import Answered
from pipeline.delivery.decisions import Attempt, Hold, Refuse, Retry, RetryPolicy
from pipeline.delivery.examination import examine
from pipeline.delivery.limits import LearntLimits
from pipeline.delivery.packing import Backlog
from pipeline.delivery.request_batch import BatchInHand, Run
from pipeline.kafka.dead_letters import DeadLetterWriter
from pipeline.kafka.partitioner import partition_for
from pipeline.kafka.records import SamePartition
from pipeline.local.traffic import traffic
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.metrics.rules import RulesMetrics
from pipeline.processor.counts import ProcessorCounts
from pipeline.processor.deciding import Formats
from pipeline.sinks.segment.answers import decide
from pipeline.sinks.segment.body import build_body
from pipeline.state.message_catalogue import MessageCatalogue
from pipeline.state.partition_state import PartitionState
from pipeline.state.restoring import TrackedUsersTopics
from pipeline.state.store import CatalogueTopic, StateStore
from pipeline.state.stored_marks import NO_EPOCH, MarkCodec
from pipeline.state.tracked_users import UserHasher
from tests.builders import MIXPANEL, SEGMENT
from tests.fakes.destinations import limits_of
from tests.fakes.kafka import KeptWrites
from tests.fakes.processor import build_step
from tests.fakes.segment import API
from tests.fakes.stream import FakeMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline.kafka.producer import OutboundMessage

HASHES: Final = Path(__file__).with_name("hashes.json")
EVENTS: Final = 50_000
SENT_AT: Final = 1_767_312_000.123
"""When requests are sent: 2026-01-02, in seconds since the epoch."""
_SCHEMAS: Final = Path(__file__).parents[2] / "schemas"
_NOW_MS: Final = 1_767_225_600_000
_PARTITIONS: Final = 12
_BATCH: Final = 500
_EVENTS_OF_AN_EXAMPLE: Final = 2_000
_RECORDS, _LETTERS, _TRACKED, _CATALOGUE = "segment.records", "dead.letters", "tracked.users", "messages"
_SECRET: Final = "the secret of what must not change"
_AVRO: Final = Formats(encode_record=lambda record: b"\x00\x00\x00\x00\x07" + encode_record(record))
_LIMITS: Final = limits_of(max_bytes=500_000, max_records=2_500)
_RETRIES: Final = RetryPolicy(base_seconds=1.0, max_seconds=60.0, retry_after_cap_seconds=300.0)
_STATUSES: Final = range(100, 600)
_ANSWERS: Final[Mapping[str, tuple[str | None, bytes]]] = {
    "plain": (None, b""),
    "with Retry-After": ("7", b""),
    "naming the write key": (None, b'{"error":{"code":"invalid_write_key","message":"Invalid write key"}}'),
}


def hashes() -> dict[str, str]:
    """Return the hash of everything, by what it is of."""
    found: dict[str, str] = {}
    presets = {preset: _processed(demo(), Policy(records=SEGMENT, rules=preset_rules(preset))) for preset in Preset}
    for preset, kept in presets.items():
        found |= _of_writes(f"preset {preset}", kept)
    found |= _of_writes("records as Avro", _processed(demo(), Policy(records=SEGMENT), _AVRO))
    for path in _examples("rules/valid/*.yaml"):
        policy = Policy(records=SEGMENT, rules=parse_rules(path.read_text("utf-8"), filename=path.name))
        found |= _of_writes(_name(path), _processed(demo()[:_EVENTS_OF_AN_EXAMPLE], policy))
    for path in _examples("raw-event/*/*.json"):
        found |= _of_writes(_name(path), _processed([_message(_compact(path))], Policy(records=SEGMENT)))
    found |= _of_writes("mixpanel", _processed(demo(), Policy(records=MIXPANEL)))
    for path in _examples("raw-event/*/*.json"):
        found |= _of_writes(f"mixpanel {_name(path)}", _processed([_message(_compact(path))], Policy(records=MIXPANEL)))
    for path in _examples("segment-record/*/*.json"):
        found[_name(path)] = _hash(_of_sink([_compact(path)]))
    records = [message.value or b"" for _, message in _written(presets[Preset.KEEP_ALL], _RECORDS)]
    found["request bodies"] = _hash(_of_sink(records))
    found["decisions"] = _hash([json.dumps(decisions()).encode()])
    return found


@cache
def demo() -> Sequence[FakeMessage]:
    """Return the raw topic that the demo writes, with offsets and a message each ten milliseconds."""
    ends: defaultdict[int, int] = defaultdict(int)
    found = []
    for index, message in enumerate(traffic(seed=1, events=EVENTS)):
        partition = partition_for(message.key or b"", _PARTITIONS)
        time = _NOW_MS + 10 * index
        found.append(_message(message.value, message.key, partition, ends[partition], time))
        ends[partition] += 1
    return found


def decisions() -> dict[str, list[object]]:
    """Return what is decided about every status, without the words of advice."""
    return {
        f"{status} {name}": _described(
            decide(
                Answered(status=status, retry_after=retry_after, body=body),
                Attempt(number=3, sent_records=1, jitter=0.5, now=SENT_AT, policy=_RETRIES),
            )
        )
        for status in _STATUSES
        for name, (retry_after, body) in _ANSWERS.items()
    }


def _described(decision: object) -> list[object]:
    match decision:
        case Retry(after_seconds=seconds, everywhere=everywhere):
            return ["retry", seconds, everywhere]
        case Hold(after_seconds=seconds):
            return ["hold", seconds]
        case Refuse(reason=reason):
            return ["refuse", reason.value]
        case _:
            return ["done"]


class _Batch:
    """A batch of the raw topic (`pipeline.core.messages.MessageBatch`)."""

    def __init__(self, messages: Sequence[FakeMessage]) -> None:
        self.topic, self.partition, self.messages = messages[0].topic, messages[0].partition, messages
        self.settled = False

    def acknowledge(self) -> None:
        self.settled = True


class _FreshState(StateStore):
    """The state of partitions of which nothing is stored yet. A sketch is written with each batch that changes it."""

    async def restore(self, partition: int) -> None:
        memory = PartitionState(self._hasher, self._month, _catalogue_of(self), tracks=True)
        memory.advance(_NOW_MS)
        self._partitions[partition] = memory

    def _sketches_are_due(self, partition: int) -> bool:
        del partition
        return True


def _catalogue_of(state: StateStore) -> MessageCatalogue | None:
    topic = state._catalogue
    return None if topic is None else topic.messages


def _processed(messages: Sequence[FakeMessage], policy: Policy, formats: Formats | None = None) -> KeptWrites:
    return asyncio.run(_process(messages, policy, formats or Formats()))


async def _process(messages: Sequence[FakeMessage], policy: Policy, formats: Formats) -> KeptWrites:
    kept, registry = KeptWrites(), CollectorRegistry()
    hasher = UserHasher(_SECRET)
    codec = MarkCodec(fingerprint=hasher.fingerprint, epoch=NO_EPOCH, topic=_TRACKED)
    follower: Any = _NoFollower()
    state = _FreshState(
        connection={},
        producer=kept,
        follower=follower,
        hasher=hasher,
        month=BillingMonth(),
        now_ms=lambda: _NOW_MS,
        tracked=TrackedUsersTopics(topic=_TRACKED, codec=codec),
        catalogue=CatalogueTopic(topic=_CATALOGUE, messages=MessageCatalogue(days=90)),
    )
    metrics = ProcessorMetrics(registry, destination="segment")
    processor = build_step(
        policy=lambda: policy,
        records=SamePartition(kept, topic=_RECORDS),
        dead_letters=DeadLetterWriter(kept, topic=_LETTERS, partitions=1, now_ms=lambda: _NOW_MS),
        metrics=metrics,
        counts=ProcessorCounts(metrics, RulesMetrics(registry, destination="segment")),
        breaker=Breaker(BreakerLimits(max_share=1.0, window=1_000)),
        formats=formats,
        state=state,
    )
    for partition in range(_PARTITIONS):
        await state.restore(partition)
    running = asyncio.create_task(processor.run())
    await asyncio.sleep(0)
    for batch in _batches(messages):  # one after the other: what is hashed does not depend on who goes first
        processor.accept(batch)
        await processor.drain(deadline_seconds=60.0)
        assert batch.settled
    running.cancel()
    await asyncio.wait({running})
    return kept


class _NoFollower:
    def check(self) -> None: ...


def _batches(messages: Sequence[FakeMessage]) -> Iterator[_Batch]:
    waiting: defaultdict[int, list[FakeMessage]] = defaultdict(list)
    for message in messages:
        run = waiting[message.partition]
        run.append(message)
        if len(run) == _BATCH:
            yield _Batch(waiting.pop(message.partition))
    for partition in sorted(waiting):
        yield _Batch(waiting[partition])


def _of_writes(name: str, kept: KeptWrites) -> dict[str, str]:
    """Return a hash for each topic that was written to: of each message the partition, key, value and headers."""
    topics = {
        "records": _RECORDS,
        "dead letters": _LETTERS,
        "tracked users": _TRACKED,
        "message catalogue": _CATALOGUE,
    }
    return {
        f"{name}: {what}": _hash(_message_bytes(partition, message) for partition, message in written)
        for what, topic in topics.items()
        if (written := _written(kept, topic))
    }


def _written(kept: KeptWrites, topic: str) -> list[tuple[int, OutboundMessage]]:
    return [(partition, message) for name, partition, messages in kept.writes if name == topic for message in messages]


def _message_bytes(partition: int, message: OutboundMessage) -> bytes:
    headers = [(name, value.decode()) for name, value in message.headers]
    return repr((partition, message.key, message.value, headers)).encode()


def _of_sink(records: Sequence[bytes]) -> Iterator[bytes]:
    """Yield why records are not sent, and the bodies of the requests that take the others."""
    messages = [_message(record, offset=offset) for offset, record in enumerate(records)]
    examined = examine(messages, api=API)
    for letter in examined.letters:
        yield f"{letter.message.offset} {letter.stage} {letter.reason}".encode()
    backlog = Backlog(LearntLimits(_LIMITS))
    source = BatchInHand(batch=_Batch(messages), since=0.0, size=0, unsettled=len(messages))
    if examined.records:
        backlog.append(Run(source=source, records=examined.records, messages=examined.messages, times=examined.times))
    while backlog:
        yield build_body(backlog.take().records, sent_at=SENT_AT)


def _message(
    value: bytes | None, key: bytes | None = None, partition: int = 0, offset: int = 0, timestamp: int = _NOW_MS
) -> FakeMessage:
    return FakeMessage(offset=offset, partition=partition, key=key, value=value, timestamp=timestamp)


def _examples(pattern: str) -> list[Path]:
    found = sorted(_SCHEMAS.glob(pattern))
    assert found, pattern
    return found


def _name(path: Path) -> str:
    return f"example {path.relative_to(_SCHEMAS).with_suffix('')}"


def _compact(path: Path) -> bytes:
    return json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False, separators=(",", ":")).encode()


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


if __name__ == "__main__":
    HASHES.write_text(json.dumps(hashes(), indent=2) + "\n", encoding="utf-8")
    print(f"{HASHES.name} written")
