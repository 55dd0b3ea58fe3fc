"""Run hostile surroundings: workers start in them, react, and resume when they are fixed."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from confluent_kafka import Producer

from pipeline.kafka import headers
from pipeline.local.segment.stand_in import SegmentStandIn
from pipeline.settings.choices import Role
from tests.chaos.credentials import write_key
from tests.hostile.batches import Batch, Record, encoded
from tests.hostile.good_messages import good_batch, good_event
from tests.hostile.messages import Topic
from tests.hostile.planted import USERS
from tests.hostile.reckoning import disordered, lost
from tests.hostile.results import CaseResult
from tests.hostile.situations import Reaction, Situation, Transaction, Where
from tests.hostile.stage import (
    ALL_ROLES,
    LETTERS,
    RAW,
    RECORDS,
    Grounds,
    Workers,
    allowed_bytes,
    as_they_end,
    configure,
    create_topics,
    environment,
    holds_of,
    running_workers,
    until,
)
from tests.hostile.wire import BatchWriter
from tests.integration.clients import read_topic
from tests.integration.test_planted_secrets import EMAIL
from tests.wrong_clock import WrongClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence

    from tests.chaos.sampler import Names

TOPICS, CLOCKS = "topics", "clocks"
PARTITIONS: Final = 2
GOOD_MESSAGES: Final = 10
MESSAGE_BYTES: Final = 1_500
_WORKER_KEYS: Final = 20
_SECONDS: Final = 45.0
_LOOK_SECONDS: Final = 0.2
_HIDDEN_METRIC: Final = re.compile(r"^onesignal_pipeline_hidden_messages\{.*\} [1-9]", re.MULTILINE)
_REFUSAL_ENDS: Final = 1
_SOON: Final = {"TOPIC_WATCH_SECONDS": "0.2"}


@dataclass(slots=True, kw_only=True)
class Play:
    """One situation while it is tested. `written` are the ids of good messages of each partition's user, in order."""

    grounds: Grounds
    names: Names
    situation: Situation
    segment: SegmentStandIn
    writer: BatchWriter
    clock: WrongClock
    written: dict[int, list[str]] = field(default_factory=lambda: {number: [] for number in range(PARTITIONS)})
    bad: int = 0
    faults: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    ends: int = 0
    peak_bytes: int = 0

    @property
    def topic(self) -> str:
        """Return the topic whose settings are changed."""
        return {Where.RAW: self.names.raw, Where.RECORDS: self.names.records, Where.LETTERS: self.names.letters}[
            self.situation.where
        ]

    def write(self, *, bad: bool = True) -> None:
        """Write good messages of each partition's user, and a bad one behind those of the first."""
        for partition, written in self.written.items():
            user = f"{USERS}-{self.names.raw}-{partition}"
            ids = [f"{user}-{len(written) + number:03d}" for number in range(GOOD_MESSAGES)]
            self.writer.write(self.names.raw, partition, good_batch(Topic.RAW, user, ids))
            written.extend(ids)
        if bad:
            self.writer.write(self.names.raw, 0, _bad(has_key=self.situation.where is Where.RAW))
            self.bad += 1

    def missing(self, partitions: Iterable[int] = range(PARTITIONS)) -> list[str]:
        """Return the ids of good messages that Segment has not accepted."""
        return [each for number in partitions for each in lost(self.written[number], self.segment.ledger.accepted)]

    def letters(self) -> int:
        """Count the bad messages that became dead letters."""
        sources = {
            (found[headers.SOURCE_PARTITION], found[headers.SOURCE_OFFSET])
            for found in (dict(each.headers) for each in read_topic(self.grounds.servers, self.names.letters))
        }
        return len(sources)

    async def all_arrive(self, workers: Workers, *, seconds: float = _SECONDS) -> None:
        """Wait until every good message was accepted, and every bad one is a dead letter."""
        await until(lambda: not self.missing(), seconds=seconds, given_up=lambda: workers.are_given_up)
        if not await until(lambda: self.letters() == self.bad, seconds=seconds, given_up=lambda: workers.are_given_up):
            self.faults.append(f"{self.letters()} of {self.bad} bad messages are dead letters")

    def played(self, workers: Workers, *, own_ends: int | None = None) -> None:
        """Store what workers have done, after they have ended."""
        self.ends += workers.own_ends if own_ends is None else own_ends
        self.peak_bytes = max(self.peak_bytes, workers.peak_bytes)
        self.leaks += workers.leaks()
        if own_ends is None:
            self.faults += workers.endings()[:2]


async def play_situations(
    grounds: Grounds, situations: Sequence[Situation], *, at_once: int
) -> AsyncGenerator[list[CaseResult]]:
    """Run situations, several at once; yield the result of each."""
    waiting = asyncio.Semaphore(at_once)

    async def one(situation: Situation) -> list[CaseResult]:
        async with waiting:
            try:
                return [await _play(grounds, situation)]
            except Exception as error:  # noqa: BLE001 -- whatever it was, the other situations are played
                return [_unplayed(situation, error)]

    async for each in as_they_end(one(situation) for situation in situations):
        yield each


async def _play(grounds: Grounds, situation: Situation) -> CaseResult:
    names = grounds.names()
    segment = SegmentStandIn(write_keys=[write_key(number) for number in range(_WORKER_KEYS)])
    async with AsyncExitStack() as stack:
        await segment.start()
        stack.push_async_callback(segment.stop)
        await asyncio.to_thread(_create, grounds, names, situation)
        play = Play(
            grounds=grounds,
            names=names,
            situation=situation,
            segment=segment,
            writer=stack.enter_context(BatchWriter(grounds.servers)),
            clock=WrongClock(grounds.folder / f"{names.raw}.offset"),
        )
        variables = play.clock.environment(0 if situation.later else situation.clock_seconds)
        if not situation.clock_seconds:
            variables = {}
        settings = environment(grounds.servers, segment.endpoint, names, {**_SOON, **situation.more}) | variables
        await asyncio.to_thread(play.write)
        await _REACTIONS[situation.reaction](play, settings)
    return _result(play)


def _unplayed(situation: Situation, error: Exception) -> CaseResult:
    return CaseResult(
        part=_part_of(situation),
        kind=situation.kind,
        name=situation.name,
        expected=situation.reaction.value,
        faults=[f"it could not be completed: {error!r}"],
    )


def _part_of(situation: Situation) -> str:
    return CLOCKS if situation.clock_seconds else TOPICS


def _create(grounds: Grounds, names: Names, situation: Situation) -> None:
    own = {} if situation.later else {name.replace(".", "_"): value for name, value in situation.settings.items()}
    usual = {Where.RAW: RAW, Where.RECORDS: RECORDS, Where.LETTERS: LETTERS}
    raw, records, letters = ({**each, **(own if situation.where is where else {})} for where, each in usual.items())
    create_topics(grounds, names, PARTITIONS, raw=raw, records=records, letters=letters)


async def _refuse(play: Play, settings: Mapping[str, str]) -> None:
    """Let workers refuse to start; then fix the topic, and let them work."""
    roles = ALL_ROLES if play.situation.concerns_sink else (Role.PROCESSOR,)
    name = f"{play.names.raw}-refusing"
    async with running_workers(play.grounds, roles, settings, name=name, most_own_ends=_REFUSAL_ENDS) as workers:
        slots = workers.crew.slots
        await until(lambda: all(slot.own_ends or slot.ready.is_set() for slot in slots), seconds=_SECONDS)
        refused = all(slot.own_ends for slot in slots)
        log = workers.logs()
        if not refused:
            play.faults.append("a worker did not refuse to start")
        play.faults += _missing_words(play, log)
        if play.segment.ledger.accepted:
            play.faults.append("a record was delivered before")
    play.played(workers, own_ends=len(workers.crew.bad_stops))
    await asyncio.to_thread(configure, play.grounds.servers, play.topic, play.situation.mended)
    async with running_workers(play.grounds, ALL_ROLES, settings, name=f"{play.names.raw}-mended") as workers:
        await workers.answer()
        await play.all_arrive(workers)
    play.played(workers)


async def _hold(play: Play, settings: Mapping[str, str]) -> None:
    """Let workers hold; then fix the cause while they run, and let them resume."""
    situation = play.situation
    async with running_workers(play.grounds, ALL_ROLES, settings, name=play.names.raw) as workers:
        if situation.later:
            await workers.answer()
            await play.all_arrive(workers)
            await _disturb(play)
            await asyncio.to_thread(play.write)
        await workers.answer()
        if not await _until_held(play, workers):
            play.faults.append("no worker holds")
        play.faults += _missing_words(play, "\n".join([workers.logs(), *await workers.pages()]))
        await _mend(play)
        await play.all_arrive(workers)
    play.played(workers)


async def _disturb(play: Play) -> None:
    if play.situation.clock_seconds:
        play.clock.set(play.situation.clock_seconds)
    else:
        await asyncio.to_thread(configure, play.grounds.servers, play.topic, play.situation.settings)


async def _mend(play: Play) -> None:
    if play.situation.clock_seconds:
        play.clock.set(0)
    if play.situation.mended:
        await asyncio.to_thread(configure, play.grounds.servers, play.topic, play.situation.mended)


async def _until_held(play: Play, workers: Workers) -> bool:
    clock = asyncio.get_running_loop()
    deadline = clock.time() + _SECONDS / 3
    while clock.time() < deadline:
        if set(holds_of(await workers.pages())) & set(play.situation.reasons):
            return True
        await asyncio.sleep(_LOOK_SECONDS)
    return False


async def _let_run(play: Play, settings: Mapping[str, str]) -> None:
    """Let workers work; with an open transaction of another producer, only the messages after it wait."""
    name = play.names.raw
    async with running_workers(play.grounds, ALL_ROLES, settings, name=name) as workers:
        await workers.answer()
        await play.all_arrive(workers)
        if play.situation.transaction is not None:
            await _transact(play, workers, play.situation.transaction)
        await until(lambda: not _missing_words(play, workers.logs()), seconds=_SECONDS / 3)
        play.faults += _missing_words(play, workers.logs())
        play.clock.set(0)
    play.played(workers)


async def _transact(play: Play, workers: Workers, how: Transaction) -> None:
    """Begin a transaction in the first partition, write more, and end it when everything else has arrived."""
    user = f"{USERS}-{play.names.raw}-other"
    record = good_event(user, f"{user}-0")
    producer = Producer(
        {"bootstrap.servers": play.grounds.servers, "transactional.id": play.names.raw, "log_level": 0, "linger.ms": 0}
    )
    await asyncio.to_thread(producer.init_transactions, 30)
    producer.begin_transaction()
    producer.produce(
        play.names.raw if play.situation.where is Where.RAW else play.names.records,
        value=record.value,
        key=record.key,
        partition=0,
    )
    await asyncio.to_thread(producer.flush, 30)
    await asyncio.to_thread(play.write, bad=False)
    others = range(1, PARTITIONS)
    if not await until(lambda: not play.missing(others), seconds=_SECONDS / 3):
        play.faults.append("other partitions wait for the transaction")
    if not await _is_hidden(workers):
        play.faults.append("no metric counts the messages after an open transaction")
    if play.situation.where is Where.RAW and not play.missing([0]):
        play.faults.append("messages after an open transaction were read")
    await asyncio.to_thread(
        producer.commit_transaction if how is Transaction.COMMITTED else producer.abort_transaction, 30
    )
    await play.all_arrive(workers)


async def _is_hidden(workers: Workers) -> bool:
    """Wait until a metric counts hidden messages."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + _SECONDS / 3
    while clock.time() < deadline:
        if _HIDDEN_METRIC.search("\n".join(await workers.pages())):
            return True
        await asyncio.sleep(_LOOK_SECONDS)
    return False


def _bad(*, has_key: bool) -> bytes:
    """Return a message that becomes a dead letter. A compacted topic accepts none without a key."""
    value = f"no event of {EMAIL}".encode().ljust(MESSAGE_BYTES)
    return encoded(Batch(records=[Record(value=value, key=b"k" if has_key else None)]))


def _missing_words(play: Play, log: str) -> list[str]:
    return [f"not logged or shown: {word}" for word in play.situation.words if word not in log]


def _result(play: Play) -> CaseResult:
    accepted = play.segment.ledger.accepted
    return CaseResult(
        part=_part_of(play.situation),
        kind=play.situation.kind,
        name=play.situation.name,
        expected=play.situation.reaction.value,
        lost=len(play.missing()),
        disordered=sum(len(disordered(written, accepted)) for written in play.written.values()),
        ends=play.ends,
        peak_bytes=play.peak_bytes,
        allowed_bytes=allowed_bytes([(GOOD_MESSAGES * MESSAGE_BYTES, MESSAGE_BYTES)] * PARTITIONS),
        faults=play.faults,
        leaks=sorted(set(play.leaks)),
    )


_REACTIONS: Final[Mapping[Reaction, Callable[[Play, Mapping[str, str]], Awaitable[None]]]] = {
    Reaction.RUN: _let_run,
    Reaction.REFUSE: _refuse,
    Reaction.HOLD: _hold,
}
