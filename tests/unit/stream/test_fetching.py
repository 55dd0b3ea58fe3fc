from __future__ import annotations

import asyncio
import gc
import inspect
from contextlib import contextmanager, suppress
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    GroupAuthorizationFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaTimeoutError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from pipeline.kafka.errors import KafkaUnreachableError
from pipeline.kafka.groups import KnownSource
from pipeline.stream import commits
from pipeline.stream.errors import OffsetsLostError
from pipeline.stream.fetch_waits import FetchWaits
from pipeline.stream.fetched_ahead import FetchedAhead
from pipeline.stream.fetching import Fetching
from pipeline.stream.ledger import Position, TopicPartition
from pipeline.stream.unreadable import UnreadablePartitions
from tests.fakes.stream import BOUND_SECONDS
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.stream.positions import Positions

PARTITION = TopicPartition("segment.records", 0)


class LiveLog:
    """A consumer of one partition; between any two requests, others write to it and commit."""

    def __init__(self, *, grows_by: int, start: int = 0, committed: int | None = None) -> None:
        self.sought: list[int] = []
        self.asked: list[tuple[TopicPartition, ...]] = []
        self.errors: list[Exception] = []
        self._grows_by = grows_by
        self._start = start
        self._end = 0
        self._committed = committed

    @property
    def _coordinator(self) -> SimpleNamespace:
        return SimpleNamespace(generation=3, fetch_committed_offsets=self._fetch_committed)

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    async def beginning_offsets(self, _partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if self.errors:
            raise self.errors.pop(0)
        self._go_on()
        return {PARTITION: self._start}

    async def end_offsets(self, _partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        self._go_on()
        return {PARTITION: self._end}

    async def _fetch_committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        self.asked.append(tuple(partitions))
        self._go_on()
        return {PARTITION: OffsetAndMetadata(self._end if self._committed is None else self._committed, "")}

    def seek(self, _partition: object, offset: int) -> None:
        self.sought.append(offset)

    def _go_on(self) -> None:
        self._end += self._grows_by


async def reposition(log: LiveLog) -> Positions:
    thread: Any = SimpleNamespace(_ensure_consumer=lambda: log, app=SimpleNamespace(conf=SimpleNamespace(id="g")))
    thread.epoch = 0
    thread._waits = FetchWaits(0.0, now=lambda: 0.0)
    thread.unreadable = UnreadablePartitions("g", now=lambda: 0.0)
    return await Fetching.reposition(thread)


async def test_a_log_that_others_write_and_commit_while_positions_are_asked_for_has_lost_nothing() -> None:
    log = LiveLog(grows_by=100)
    positions = await reposition(log)
    assert positions.by_partition == {PARTITION: Position(log.sought[0], True)}  # noqa: FBT003 - it was committed


@pytest.mark.parametrize(("start", "committed"), [(0, 500), (50, 10)])
async def test_a_committed_offset_outside_the_log_is_a_fault(start: int, committed: int) -> None:
    with pytest.raises(OffsetsLostError):
        await reposition(LiveLog(grows_by=100, start=start, committed=committed))


async def test_committed_offsets_are_asked_for_at_once_and_one_that_is_missing_is_the_start() -> None:
    log = LiveLog(grows_by=0, start=7, committed=-1)
    positions = await reposition(log)
    assert log.asked == [(PARTITION,)]
    assert (positions.by_partition, log.sought) == ({PARTITION: Position(7, False)}, [7])  # noqa: FBT003 - never committed


async def test_a_commit_of_the_first_offset_is_one() -> None:
    positions = await reposition(LiveLog(grows_by=1, committed=0))
    assert positions.by_partition == {PARTITION: Position(0, True)}  # noqa: FBT003 - it was committed


def test_positions_are_asked_for_again_after_a_while_until_the_brokers_tell_them() -> None:
    async def story() -> tuple[list[int], float]:
        log = LiveLog(grows_by=0, committed=0)
        log.errors = [KafkaConnectionError(), KafkaTimeoutError(), KafkaConnectionError()]
        await reposition(log)
        return log.sought, asyncio.get_running_loop().time()

    sought, seconds = run_virtual(story())
    assert sought == [0]
    assert seconds >= 3 * 0.5, "not without a pause"


@pytest.mark.parametrize("error", [GroupAuthorizationFailedError("g"), IllegalStateError()])
async def test_positions_that_are_refused_for_good_or_of_another_assignment_are_no_positions(error: Exception) -> None:
    log = LiveLog(grows_by=0, committed=0)
    log.errors = [error]
    with pytest.raises(type(error)):
        await reposition(log)
    assert log.sought == []


async def test_a_late_commit_is_repeated_no_more_once_its_partitions_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commits, "COMMIT_TIMEOUT_SECONDS", 0.05)
    thread = Fetching.__new__(Fetching)
    thread.thread_loop = asyncio.get_running_loop()
    stored: list[str] = []
    next_try = asyncio.Event()

    async def repeats() -> None:
        await next_try.wait()
        stored.append("late")

    async def stores() -> None:
        stored.append("next")

    with pytest.raises(TimeoutError):
        await thread._bounded(repeats())
    thread.abandon_commit()
    await thread._bounded(stores())
    next_try.set()
    await asyncio.sleep(0)
    assert stored == ["next"]


async def test_a_commit_that_is_waited_for_and_given_up_counts_as_not_stored() -> None:
    thread = Fetching.__new__(Fetching)
    thread.thread_loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    async def waits() -> None:
        asked.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(thread._bounded(waits()))
    await asked.wait()
    thread.abandon_commit()
    with pytest.raises(TimeoutError):
        await waiting
    assert thread._storing is None


def waiting_thread() -> tuple[Fetching, asyncio.Future[None]]:
    """Return a thread with a commit in progress, and the future that ends it."""
    thread = Fetching.__new__(Fetching)
    thread.thread_loop = asyncio.get_running_loop()
    thread._storing = asyncio.get_running_loop().create_future()
    return thread, thread._storing


async def nothing_to_store() -> None:
    raise AssertionError("it must not be sent")


async def test_a_commit_is_not_sent_beside_one_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "COMMIT_TIMEOUT_SECONDS", 0.01)
    thread, before = waiting_thread()
    storing = nothing_to_store()
    with pytest.raises(TimeoutError):
        await thread._bounded(storing)
    assert inspect.getcoroutinestate(storing) == inspect.CORO_CLOSED
    assert thread._storing is before


async def test_a_commit_that_is_given_up_before_it_could_be_sent_is_not_sent() -> None:
    thread, before = waiting_thread()
    storing = nothing_to_store()
    waiting = asyncio.create_task(thread._bounded(storing))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert inspect.getcoroutinestate(storing) == inspect.CORO_CLOSED
    assert not before.done()


async def test_a_commit_that_fails_when_nobody_waits_for_it_any_more_is_no_error_in_the_log() -> None:
    logged: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: logged.append(context["message"]))
    thread, before = waiting_thread()
    before.set_exception(CommitFailedError())
    stored: list[str] = []

    async def stores() -> None:
        stored.append("next")

    await thread._bounded(stores())
    del before
    gc.collect()
    assert (stored, logged) == (["next"], [])


def test_a_commit_has_seconds_and_not_the_whole_of_a_session() -> None:
    async def story() -> float:
        thread, _ = waiting_thread()
        with pytest.raises(TimeoutError):
            await thread._bounded(nothing_to_store())
        return asyncio.get_running_loop().time()

    assert 5 <= run_virtual(story()) <= 15


async def test_a_started_consumer_brings_our_messages_collected_and_commits_in_its_generation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start(_thread: object) -> None:
        """Do nothing."""

    def untouched() -> None:
        """Replaced by a method of ours."""

    monkeypatch.setattr(AIOKafkaConsumerThread, "on_start", start)
    fetcher = SimpleNamespace(_records={}, _client=SimpleNamespace(cluster=None), _proc_fetch_request=untouched)
    coordinator = SimpleNamespace(
        generation=-1,
        _do_commit_offsets=untouched,
        _perform_assignment=untouched,
        _on_join_complete=untouched,
    )
    thread: Any = Fetching.__new__(Fetching)
    thread._ensure_consumer = lambda: SimpleNamespace(_fetcher=fetcher, _coordinator=coordinator)
    options = SimpleNamespace(collect_seconds=0.5, max_bytes_in_hand=7_000, consumer={"max_partition_fetch_bytes": 900})
    thread.transport = SimpleNamespace(options=options)
    await thread.on_start()
    assert isinstance(fetcher._records, FetchedAhead)
    assert fetcher._proc_fetch_request is not untouched
    assert coordinator._do_commit_offsets is not untouched
    assert coordinator._perform_assignment is not untouched
    assert coordinator._on_join_complete is not untouched


@pytest.mark.parametrize(
    ("readable", "stored", "ends"),
    [(5, 9, (5, 9)), (0, 0, (0, 0)), (None, 9, None), (5, None, None), (-1, 9, None)],
)
def test_the_ends_of_a_partition_are_known_after_its_first_fetch(
    readable: int | None, stored: int | None, ends: tuple[int, int] | None
) -> None:
    thread: Any = Fetching.__new__(Fetching)
    thread._ensure_consumer = lambda: SimpleNamespace(last_stable_offset=lambda _: readable, highwater=lambda _: stored)
    assert thread.ends_of(PARTITION) == ends


def test_a_partition_that_was_revoked_has_no_ends() -> None:
    def refuse(_partition: object) -> int:
        raise IllegalStateError

    thread: Any = Fetching.__new__(Fetching)
    thread._ensure_consumer = lambda: SimpleNamespace(last_stable_offset=refuse)
    assert thread.ends_of(PARTITION) is None


class Membership:
    """A thread in a group, with the errors of its coordinator, one for each check, and the times of the checks."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.signs = 0
        self.naps: list[float] = []
        self._coordinator = self
        self.app = SimpleNamespace(conf=SimpleNamespace(id="group"))
        self._subscription = self
        self.should_stop = False

    def _ensure_consumer(self) -> Membership:
        return self

    @contextmanager
    def fetch_context(self) -> Iterator[None]:
        self.signs += 1
        yield

    def check_errors(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.should_stop = len(self.naps) == 4

    async def keep(self) -> None:
        await Fetching._keep_membership.fun(self)


async def test_a_member_gives_signs_of_life_more_often_than_once_a_second() -> None:
    membership = Membership(KafkaConnectionError(), KafkaConnectionError())
    await membership.keep()
    assert membership.signs == 4
    assert [seconds for seconds in membership.naps if not 0 < seconds < 1] == []


async def test_what_ends_a_membership_for_good_is_a_fault() -> None:
    membership = Membership(GroupAuthorizationFailedError("g"))
    with pytest.raises(GroupAuthorizationFailedError):
        await membership.keep()
    assert membership.naps == []


async def test_kafka_that_went_away_before_the_consumer_started_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(_thread: object) -> None:
        raise KafkaConnectionError("no bootstrap")

    monkeypatch.setattr(AIOKafkaConsumerThread, "on_start", fails)
    with pytest.raises(KafkaUnreachableError, match="start again when it answers"):
        await Fetching.__new__(Fetching).on_start()


@pytest.mark.parametrize(("generation", "sent"), [(3, True), (4, False), (2, False), (-1, False)])
async def test_a_commit_is_sent_only_in_the_generation_whose_positions_it_continues(
    generation: int,
    sent: bool,  # noqa: FBT001 - of the table
) -> None:
    asked: list[object] = []

    async def send(_assignment: object, offsets: object) -> None:
        asked.append(offsets)

    coordinator = SimpleNamespace(generation=3, _do_commit_offsets=send)
    thread = Fetching.__new__(Fetching)
    thread._generation = 3
    thread._keep_commits_in_their_generation(coordinator)
    coordinator.generation = generation
    with suppress(IllegalGenerationError):
        await coordinator._do_commit_offsets("assignment", "offsets")
    assert asked == (["offsets"] if sent else [])


@pytest.mark.parametrize("generation", [-1, 0, 1])
async def test_before_anything_was_positioned_nothing_is_committed_in_a_generation_or_without(generation: int) -> None:
    coordinator = SimpleNamespace(generation=generation, _do_commit_offsets=None)
    thread = Fetching.__new__(Fetching)
    thread._keep_commits_in_their_generation(coordinator)
    with pytest.raises(IllegalGenerationError):
        await coordinator._do_commit_offsets("assignment", "offsets")


def consumer_of(commits: list[Any], *, error: Exception | None = None) -> Any:
    """Return a thread whose consumer has the partition and keeps what is committed, or raises."""

    async def commit(offsets: object) -> None:
        if error is not None:
            raise error
        commits.append(offsets)

    thread: Any = Fetching.__new__(Fetching)
    consumer = SimpleNamespace(assignment=lambda: {PARTITION}, commit=commit)
    thread._ensure_consumer = lambda: consumer
    source = KnownSource(partitions=1, begun=frozenset(), identity=b"\x01\x02")
    thread.transport = SimpleNamespace(options=SimpleNamespace(source=source))
    return thread


async def test_every_commit_says_which_topic_it_is_of() -> None:
    commits: list[Any] = []
    assert await consumer_of(commits).store({PARTITION: 7})
    assert commits == [{PARTITION: (7, "topic-id=0102")}]


async def test_nothing_is_committed_of_partitions_that_are_not_assigned() -> None:
    commits: list[Any] = []
    assert not await consumer_of(commits).store({PARTITION: 7, TopicPartition("segment.records", 1): 3})
    assert commits == []


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (ConsumerStoppedError(), False),
        (CommitFailedError(), False),
        (IllegalStateError(), False),
        (KafkaConnectionError(), True),
        (TimeoutError(), True),
    ],
)
async def test_a_commit_that_the_broker_did_not_confirm_is_not_stored_and_may_wait_for_it(
    error: Exception,
    waits: bool,  # noqa: FBT001
) -> None:
    thread = consumer_of([], error=error)
    assert not await thread.store({PARTITION: 7})
    assert thread.commits_wait is waits
    for last in (None, CommitFailedError()):
        thread.commits_wait = True
        other = consumer_of([], error=last)
        thread._ensure_consumer = other._ensure_consumer
        await thread.store({PARTITION: 7})
        assert not thread.commits_wait, "it was taken, or the membership is over"


async def test_a_commit_that_is_refused_for_good_is_a_fault() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await consumer_of([], error=GroupAuthorizationFailedError("g")).store({PARTITION: 7})


def test_the_consumer_reads_what_is_committed_and_neither_commits_nor_resets_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aiokafka.AIOKafkaConsumer", lambda **arguments: arguments)
    thread: Any = Fetching.__new__(Fetching)
    thread.app = SimpleNamespace(conf=SimpleNamespace(id="group"))
    transport = SimpleNamespace(options=SimpleNamespace(consumer={"max_poll_records": 5}))
    assert thread._create_worker_consumer(transport) == {
        "group_id": "group",
        "partition_assignment_strategy": [RoundRobinPartitionAssignor],
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "max_poll_records": 5,
    }


async def test_each_repositioning_is_an_epoch_and_a_generation_of_its_own() -> None:
    log = LiveLog(grows_by=0, committed=0)
    thread: Any = SimpleNamespace(_ensure_consumer=lambda: log, app=SimpleNamespace(conf=SimpleNamespace(id="g")))
    thread.epoch, thread._generation = 4, -1
    thread._waits = FetchWaits(0.0, now=lambda: 0.0)
    thread.unreadable = UnreadablePartitions("g", now=lambda: 0.0)
    assert (await Fetching.reposition(thread)).epoch == 5
    assert (thread.epoch, thread._generation) == (5, 3)


@pytest.mark.parametrize(
    ("leader", "coordinator", "answers"),
    [("answers", "answers", True), ("hangs", "answers", False), ("answers", "hangs", False), ("refuses", "", False)],
)
async def test_kafka_answers_for_a_partition_where_its_leader_and_the_coordinator_do(
    *, leader: str, coordinator: str, answers: bool
) -> None:
    behaviours = {"end_offsets": leader, "committed": coordinator}
    asked: list[object] = []

    async def ask(name: str, what: object) -> None:
        asked.append(what)
        if behaviours[name] == "hangs":
            await asyncio.get_running_loop().create_future()
        if behaviours[name] == "refuses":
            raise IllegalStateError

    consumer = SimpleNamespace(end_offsets=partial(ask, "end_offsets"), committed=partial(ask, "committed"))
    thread: Any = SimpleNamespace(_ensure_consumer=lambda: consumer)
    seconds = 0.01 if "hangs" in (leader, coordinator) else BOUND_SECONDS
    assert await Fetching.kafka_answers(thread, PARTITION, seconds) is answers
    assert asked == [[PARTITION], PARTITION][: len(asked)]


@pytest.mark.parametrize(("error", "seen"), [(None, {PARTITION: 9}), (IllegalStateError(), {}), (TimeoutError(), {})])
async def test_the_ends_of_assigned_partitions_are_those_that_the_broker_tells(
    error: Exception | None, seen: dict[TopicPartition, int]
) -> None:
    async def end_offsets(partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if error is not None:
            raise error
        return dict.fromkeys(partitions, 9)

    consumer = SimpleNamespace(assignment=lambda: {PARTITION}, end_offsets=end_offsets)
    thread: Any = SimpleNamespace(_ensure_consumer=lambda: consumer)
    assert await Fetching.ends(thread, BOUND_SECONDS) == seen
