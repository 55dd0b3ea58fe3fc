"""Write hostile messages, each to its own partition, between good messages of one user."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException, Producer

from pipeline.kafka import headers
from pipeline.local.segment.ledger import Ledger
from pipeline.local.segment.stand_in import SegmentStandIn
from pipeline.settings.choices import Role
from tests.chaos.credentials import write_key
from tests.chaos.sampler import asking_consumer, committed
from tests.hostile.batches import Batch, encoded
from tests.hostile.good_messages import good_batch
from tests.hostile.messages import HostileMessage, Outcome, Topic
from tests.hostile.planted import USERS
from tests.hostile.reckoning import Seen, Stretch, disordered, faults, lost, missing
from tests.hostile.results import CaseResult
from tests.hostile.stage import (
    ALL_ROLES,
    Grounds,
    allowed_bytes,
    as_they_end,
    create_topics,
    environment,
    holds_of,
    running_workers,
    skip,
    until,
)
from tests.hostile.wire import BatchWriter, RefusedBatchError, change_stored_batch
from tests.integration.clients import read_topic

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence

    from confluent_kafka import Consumer

    from tests.chaos.sampler import Names
    from tests.hostile.stage import Workers

PART: Final = "messages"
GOOD_BEFORE, GOOD_AFTER = 3, 3
MOST_PARTITIONS: Final = 100
_WORKER_KEYS: Final = 20
_KINDS_APART: Final = ("bombs",)


@dataclass(slots=True, kw_only=True)
class Case:
    """A hostile message in its partition. `before` and `after` are the ids of the good ones of its user."""

    message: HostileMessage
    stretch: Stretch
    before: list[str]
    after: list[str]
    end: int
    batch_bytes: int
    message_bytes: int
    seen: Seen = field(default_factory=Seen)

    @property
    def is_held(self) -> bool:
        """Return whether its partition is expected to be held."""
        return self.message.expected.outcome is Outcome.HELD


class Arrivals(Ledger):
    """Counts each acceptance: hostile messages share ids, and each of them must arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.times: Counter[str] = Counter()

    def accept(self, message_id: str, user: str) -> None:
        """Count an acceptance, whether it is the first of its id or not."""
        self.times[message_id] += 1
        super().accept(message_id, user)


@dataclass(slots=True, kw_only=True)
class Scene:
    """Hostile messages of one topic that are tested together, with topics of their own."""

    grounds: Grounds
    names: Names
    topic: Topic
    segment: SegmentStandIn
    arrivals: Arrivals
    seconds: float
    cases: list[Case] = field(default_factory=list)
    asking: Consumer = field(init=False)

    def __post_init__(self) -> None:
        """Connect the consumer that queries how far the hostile topic is committed."""
        self.asking = asking_consumer(self.grounds.servers, self.group)

    @property
    def source(self) -> str:
        """Return the name of the topic with the hostile messages."""
        return self.names.raw if self.topic is Topic.RAW else self.names.records

    @property
    def group(self) -> str:
        """Return the group that reads this topic."""
        return self.names.processor_group if self.topic is Topic.RAW else self.names.sink_group

    @property
    def roles(self) -> tuple[Role, ...]:
        """Return the roles of the workers that are needed."""
        return ALL_ROLES if self.topic is Topic.RAW else (Role.SEGMENT_SINK,)

    def where(self) -> Mapping[int, int]:
        """Return the committed offsets of the hostile topic."""
        try:
            return committed(self.asking, self.source, len(self.cases))
        except KafkaException:  # the group's coordinator is not available yet
            return {}

    def settles(self, *, holds_end: bool) -> bool:
        """Return whether everything is committed, except for what must be held."""
        where = self.where()
        return all(
            where.get(each.stretch.partition, 0) >= each.end for each in self.cases if holds_end or not each.is_held
        )

    def is_delivered(self, *, holds_end: bool) -> bool:
        """Return whether every good message that can arrive has arrived."""
        accepted = self.segment.ledger.accepted
        return all(
            message_id in accepted
            for each in self.cases
            for message_id in (each.before if each.is_held and not holds_end else [*each.before, *each.after])
        )


async def play_messages(
    grounds: Grounds, messages: Sequence[HostileMessage], *, seconds: float, at_once: int, apart: bool = True
) -> AsyncGenerator[list[CaseResult]]:
    """Run messages in scenes, ``at_once`` of them in parallel; yield the results of each scene.

    `apart`: scenes in which workers end are run again in halves, until it is known which message ends them.
    """
    waiting = asyncio.Semaphore(at_once)

    async def one(scene: Sequence[HostileMessage]) -> list[CaseResult]:
        async with waiting:
            try:
                if apart:
                    return await _play_apart(grounds, scene, seconds=seconds)
                return (await _play(grounds, scene, seconds=seconds))[0]
            except Exception as error:  # noqa: BLE001 -- whatever it was, the other scenes are played
                return [_unplayed(message, error) for message in scene]

    async for each in as_they_end(one(scene) for scene in scenes(messages)):
        yield each


def _unplayed(message: HostileMessage, error: Exception) -> CaseResult:
    return CaseResult(
        part=PART,
        kind=message.sort,
        name=message.name,
        expected=str(message.expected),
        faults=[f"its scene could not be completed: {error!r}"],
    )


def scenes(messages: Iterable[HostileMessage]) -> list[list[HostileMessage]]:
    """Group the messages that may be tested together: of one topic, held ones separately, and not too many."""
    groups: dict[tuple[object, ...], list[HostileMessage]] = {}
    for each in messages:
        apart = each.sort if each.heavy or each.sort.startswith(_KINDS_APART) else ""
        groups.setdefault((each.topic, each.expected.outcome is Outcome.HELD, apart), []).append(each)
    return [
        group[start : start + MOST_PARTITIONS]
        for group in groups.values()
        for start in range(0, len(group), MOST_PARTITIONS)
    ]


async def _play_apart(grounds: Grounds, messages: Sequence[HostileMessage], *, seconds: float) -> list[CaseResult]:
    """Run a scene; if its workers end, run halves of what was not settled until each case is alone."""
    results, ended = await _play(grounds, messages, seconds=seconds)
    suspects = [each for each, result in zip(messages, results, strict=True) if not result.passed]
    if not ended or len(messages) == 1:
        return results
    suspects = suspects or list(messages)
    known = dict(zip(messages, results, strict=True))
    for half in (suspects[: len(suspects) // 2], suspects[len(suspects) // 2 :]):
        if half:
            grounds.tell(f"workers ended: {len(half)} of {len(messages)} messages are run again")
            known.update(zip(half, await _play_apart(grounds, half, seconds=seconds), strict=True))
    return [known[each] for each in messages]


async def _play(
    grounds: Grounds, messages: Sequence[HostileMessage], *, seconds: float
) -> tuple[list[CaseResult], bool]:
    """Run a scene; return its results, and whether a worker has ended."""
    names = grounds.names()
    segment = SegmentStandIn(write_keys=[write_key(number) for number in range(_WORKER_KEYS)])
    segment.ledger = arrivals = Arrivals()
    await segment.start()
    scene = Scene(
        grounds=grounds,
        names=names,
        topic=messages[0].topic,
        segment=segment,
        arrivals=arrivals,
        seconds=seconds,
    )
    try:
        await asyncio.to_thread(create_topics, grounds, names, len(messages))
        await asyncio.to_thread(_write_cases, scene, messages)
        settings = environment(grounds.servers, segment.endpoint, names, {})
        async with running_workers(grounds, scene.roles, settings, name=names.raw) as workers:
            await workers.answer()
            await _wait(scene, workers, holds_end=False)
            await _look_at_holds(scene, workers)
        played = [workers]
        if any(each.is_held for each in scene.cases) and not workers.are_given_up:
            played.append(await _skip_and_go_on(scene, settings))
        await asyncio.to_thread(_read_outcomes, scene)
        return _results(scene, played), any(each.own_ends for each in played)
    finally:
        scene.asking.close()
        await segment.stop()


async def _wait(scene: Scene, workers: Workers, *, holds_end: bool) -> None:
    await until(
        lambda: scene.settles(holds_end=holds_end) and scene.is_delivered(holds_end=holds_end),
        seconds=scene.seconds,
        given_up=lambda: workers.are_given_up,
    )


async def _look_at_holds(scene: Scene, workers: Workers) -> None:
    held = [each for each in scene.cases if each.is_held]

    def are_named() -> bool:
        texts = workers.complaints()
        return all(
            not faults(each.message.expected, _held(each, texts), each.stretch, messages=1, is_raw=True)
            for each in held
        )

    if held:
        await until(are_named, seconds=5, given_up=lambda: workers.are_given_up)
    pages = await workers.pages()
    where = await asyncio.to_thread(scene.where)
    texts = [*workers.complaints(), *pages]
    for each in scene.cases:
        each.seen.committed = where.get(each.stretch.partition, 0)
        each.seen.holds = holds_of(pages)
        each.seen.texts = texts


def _held(cases: Case, texts: Sequence[str]) -> Seen:
    """Return what would be right except for ``complaints``."""
    return Seen(committed=cases.stretch.first, holds=cases.message.expected.reasons, texts=texts)


async def _skip_and_go_on(scene: Scene, settings: Mapping[str, str]) -> Workers:
    """Skip what is held, as the operator is advised to, and let everything after it arrive."""
    offsets = {
        each.stretch.partition: each.stretch.end
        for each in scene.cases
        if each.is_held and each.seen.committed <= each.stretch.first
    }
    if offsets:
        await skip(scene.grounds.servers, scene.group, scene.source, offsets)
    name = f"{scene.names.raw}-skipped"
    async with running_workers(scene.grounds, scene.roles, settings, name=name) as workers:
        await workers.answer()
        await _wait(scene, workers, holds_end=True)
    return workers


def _read_outcomes(scene: Scene) -> None:
    """Read the dead letters, and the records that the processor has written."""
    where = scene.where()
    for each in scene.cases:
        if not each.is_held:
            each.seen.committed = where.get(each.stretch.partition, 0)
    for each, found in _made_of(scene, scene.names.letters):
        each.seen.letters.append(found[headers.REASON].decode())
    if scene.topic is Topic.RAW:
        for each, _ in _made_of(scene, scene.names.records):
            each.seen.forwarded += 1


def _made_of(scene: Scene, topic: str) -> Iterator[tuple[Case, Mapping[str, bytes]]]:
    """Yield the headers of each message of a topic whose source is a hostile one."""
    by_partition = {each.stretch.partition: each for each in scene.cases}
    for stored in read_topic(scene.grounds.servers, topic):
        found = dict(stored.headers)
        each = by_partition[int(found[headers.SOURCE_PARTITION])]
        is_of_source = found.get(headers.SOURCE_TOPIC, scene.source.encode()) == scene.source.encode()
        if is_of_source and each.stretch.first <= int(found[headers.SOURCE_OFFSET]) < each.stretch.end:
            yield each, found


def _results(scene: Scene, played: Sequence[Workers]) -> list[CaseResult]:
    accepted = scene.segment.ledger.accepted
    peak = max(workers.peak_bytes for workers in played)
    allowed = allowed_bytes((each.batch_bytes, each.message_bytes) for each in scene.cases)
    leaks = sorted({leak for workers in played for leak in workers.leaks()})
    ends = sum(workers.own_ends for workers in played)
    endings = [line for workers in played for line in workers.endings()]
    results = []
    for each in scene.cases:
        written = [*each.before, *each.after]
        wrong = faults(
            each.message.expected,
            each.seen,
            each.stretch,
            messages=each.message.seen,
            is_raw=scene.topic is Topic.RAW,
        )
        results.append(
            CaseResult(
                part=PART,
                kind=each.message.sort,
                name=each.message.name,
                expected=str(each.message.expected),
                lost=len(lost(written, accepted)),
                disordered=len(disordered(written, accepted)),
                peak_bytes=peak,
                allowed_bytes=allowed,
                faults=wrong,
            )
        )
    _blame(results, ends=ends, leaks=leaks, endings=endings, absent=_absent(scene))
    return results


def _absent(scene: Scene) -> int:
    """Count the hostile messages that must be delivered and that Segment has not accepted."""
    good = {message_id for each in scene.cases for message_id in (*each.before, *each.after)}
    wanted = sum(each.message.seen for each in scene.cases if each.message.expected.outcome is Outcome.DELIVERED)
    return missing(wanted, scene.arrivals.times, good)


def _blame(
    results: Sequence[CaseResult], *, ends: int, leaks: Sequence[str], endings: Sequence[str], absent: int
) -> None:
    """Assign the faults of a whole scene to its first failed case, else to its first case."""
    blamed = next((each for each in results if not each.passed), results[0])
    blamed.ends = ends
    blamed.lost += absent
    blamed.faults += [f"{absent} hostile messages that must be delivered did not arrive"] if absent else []
    blamed.faults += endings[:2]
    blamed.leaks += leaks


def _write_cases(scene: Scene, messages: Sequence[HostileMessage]) -> None:
    """Write every message between good ones, and change stored batches where that is part of the case."""
    with ExitStack() as stack:
        writer = stack.enter_context(BatchWriter(scene.grounds.servers))
        for partition, message in enumerate(messages):
            try:
                scene.cases.append(_write_case(scene, writer, partition, message))
            except RefusedBatchError as error:
                raise RefusedBatchError(f"{message.name}: {error}") from error
    for each in scene.cases:
        if each.message.stored is not None:
            change_stored_batch(
                scene.grounds.stored, scene.source, each.stretch.partition, each.stretch.first, each.message.stored
            )


def _write_case(scene: Scene, writer: BatchWriter, partition: int, message: HostileMessage) -> Case:
    user = f"{USERS}-{scene.names.raw}-{partition}"
    ids = [f"{user}-{number}" for number in range(GOOD_BEFORE + GOOD_AFTER)]
    before, after = ids[:GOOD_BEFORE], ids[GOOD_BEFORE:]
    first = writer.write(scene.source, partition, good_batch(scene.topic, user, before)) + len(before)
    batch = message.batch()
    stored = encoded(batch)
    if message.aborted:
        _abort(scene.grounds.servers, scene.source, partition, batch)
    else:
        writer.write(scene.source, partition, stored)
    end = writer.write(scene.source, partition, good_batch(scene.topic, user, after))
    sizes = [len(each.key or b"") + len(each.value or b"") for each in batch.records]
    return Case(
        message=message,
        stretch=Stretch(topic=scene.source, partition=partition, first=first, end=end),
        before=before,
        after=after,
        end=end + len(after),
        batch_bytes=len(stored),
        message_bytes=max([*sizes, 1_500]),
    )


def _abort(servers: str, topic: str, partition: int, batch: Batch) -> None:
    """Write messages in a transaction, and abort it."""
    producer = Producer(
        {"bootstrap.servers": servers, "transactional.id": f"{topic}-{partition}", "log_level": 0, "linger.ms": 0}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for record in batch.records:
        producer.produce(topic, value=record.value, key=record.key, partition=partition)
    producer.flush(30)
    producer.abort_transaction(30)
