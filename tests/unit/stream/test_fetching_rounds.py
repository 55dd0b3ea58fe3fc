"""What one fetch returns from several brokers, with aiokafka's own fetcher and a virtual clock."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from aiokafka import TopicPartition as AiokafkaPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchError
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import (
    ConsumerStoppedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.protocol.fetch import FetchRequest

from pipeline.kafka.fetched.faults import Unreadable
from pipeline.stream import fetching
from pipeline.stream.errors import OffsetsLostError
from pipeline.stream.fetch_waits import BROKERS_SHARE, COLLECTED_BYTES
from pipeline.stream.fetched_ahead import fetched_ahead
from pipeline.stream.fetching import Fetched, Fetching
from pipeline.stream.ledger import TopicPartition
from pipeline.stream.positions import read_positions
from pipeline.stream.unreadable import FIRST_RETRY_SECONDS, UnreadablePartitions
from tests.fakes.batches import answered, batch, record
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

T = TypeVar("T")

TOPIC = "segment.records"
COLLECT = 1.0
SHARE = COLLECT * BROKERS_SHARE
UNTOLD = (500, 1)
"""The wait and the minimum bytes of a request from aiokafka."""


def tp(partition: int) -> TopicPartition:
    return TopicPartition(TOPIC, partition)


def run_in_time(story: Coroutine[Any, Any, T], monkeypatch: pytest.MonkeyPatch) -> T:
    """Run a story in virtual time, which is also `time.monotonic` of the module."""

    def now() -> float:
        return asyncio.get_running_loop().time()

    monkeypatch.setattr(fetching, "time", SimpleNamespace(monotonic=now))
    return run_virtual(story)


class AnsweredFetcher(Fetcher):  # type: ignore[misc] # aiokafka has no types
    """aiokafka's fetcher without the task that sends requests: the test sends them and answers them."""

    def __init__(self, subscriptions: SubscriptionState) -> None:
        self._loop = asyncio.get_running_loop()
        self._subscriptions = subscriptions
        self._fetch_waiters: set[asyncio.Future[None]] = set()
        subscriptions.register_fetch_waiters(self._fetch_waiters)
        self._wait_consume_future = self._loop.create_future()
        self._records: Any = None
        self._closed = False
        self.answers: dict[int, asyncio.Future[bool]] = {}

    async def _proc_fetch_request(self, _assignment: object, node_id: int, _request: object) -> bool:
        self.answers[node_id] = self._loop.create_future()
        return await self.answers[node_id]


class Brokers:
    """A consumer whose partitions are led by a broker each, of the same number, and the thread that fetches."""

    def __init__(self, count: int, *, most: int = 100) -> None:
        self.targets = {tp(number) for number in range(count)}
        self.subscriptions = SubscriptionState()
        self.subscriptions.assign_from_user({AiokafkaPartition(*each) for each in self.targets})
        for each in self.targets:
            self.subscriptions.seek(AiokafkaPartition(*each), 0)
        self.fetcher = AnsweredFetcher(self.subscriptions)
        self.consumer = SimpleNamespace(
            _fetcher=self.fetcher,
            _subscription=self.subscriptions,
            _closed=False,
            _max_poll_records=most,
            pause=self.subscriptions.pause,
            resume=self.subscriptions.resume,
            seek=self.subscriptions.seek,
            assignment=lambda: {AiokafkaPartition(*each) for each in self.targets},
            _coordinator=SimpleNamespace(generation=1, fetch_committed_offsets=self._committed_offsets),
            beginning_offsets=self._beginning_offsets,
            end_offsets=self._end_offsets,
        )
        self.thread: Any = Fetching.__new__(Fetching)
        self.thread._ensure_consumer = lambda: self.consumer
        self.thread.app = SimpleNamespace(conf=SimpleNamespace(id="group"))
        options = SimpleNamespace(
            collect_seconds=COLLECT, max_bytes_in_hand=1_000_000, consumer={"max_partition_fetch_bytes": 1_000_000}
        )
        self.thread.transport = SimpleNamespace(options=options)
        self.thread.unreadable = UnreadablePartitions("group", now=asyncio.get_running_loop().time)
        self.fetcher._records = fetched_ahead(self.thread.transport.options, self.thread._on_unreadable)
        self.thread._let_brokers_collect(self.fetcher)
        self._asked: dict[int, asyncio.Task[bool]] = {}

    @property
    def assignment(self) -> Any:
        return self.subscriptions.subscription.assignment

    def state(self, partition: int) -> Any:
        return self.assignment.state_value(tp(partition))

    async def ask(self, broker: int, *partitions: int) -> tuple[int, int]:
        """Send a request, and return its wait in milliseconds and its minimum bytes."""
        of = [(number, self.state(number).position, 1_000_000) for number in partitions or (broker,)]
        request = FetchRequest(*UNTOLD, 1_000_000, READ_COMMITTED, [(TOPIC, of)])
        sending = self.fetcher._proc_fetch_request(self.assignment, broker, request)
        self._asked[broker] = asyncio.create_task(sending)
        await asyncio.sleep(0)
        return request._max_wait_ms, request._min_bytes

    async def answer(self, broker: int, messages: int) -> None:
        """Answer a request with this many messages of the broker's partition."""
        if messages:
            self.bring(broker, messages)
        self.fetcher.answers[broker].set_result(bool(messages))
        await self._asked[broker]
        if messages:
            self.notify()

    async def fail(self, broker: int) -> None:
        self.fetcher.answers[broker].set_exception(KafkaConnectionError())
        with pytest.raises(KafkaConnectionError):
            await self._asked[broker]

    def bring(self, partition: int, messages: int) -> None:
        """Put an answer with this many messages into the fetcher."""
        first = self.state(partition).position
        self.bring_bytes(partition, batch(*(record(each, None, b"{}") for each in range(messages)), base=first))

    def bring_bytes(self, partition: int, data: bytes) -> None:
        """Put an answer with these bytes into the fetcher."""
        first = self.state(partition).position
        answers, where = self.fetcher._records, AiokafkaPartition(*tp(partition))
        answered(answers, where, data, assignment=self.assignment, offset=first)

    def notify(self) -> None:
        for waiter in tuple(self.fetcher._fetch_waiters):
            self.fetcher._notify(waiter)

    async def fetch(self, *partitions: int, timeout_seconds: float = 10.0) -> Fetched:
        asked = {tp(number) for number in partitions} or self.targets
        fetched: Fetched = await self.thread.fetch(asked, timeout_seconds)
        return fetched

    async def become_busy(self, *brokers: int) -> None:
        """Fetch one message from each broker, so that they collect from now on."""
        for broker in brokers:
            await self.ask(broker)
        for broker in brokers:
            await self.answer(broker, 1)
        await self.fetch()

    async def _committed_offsets(self, _partitions: object) -> dict[object, object]:
        return {}

    async def _beginning_offsets(self, targets: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(targets, 40)

    async def _end_offsets(self, targets: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(targets, 90)


def counts(fetched: Fetched) -> dict[int, int]:
    return {each.partition: len(messages) for each, messages in fetched.records.items()}


def test_a_broker_that_brought_messages_collects_and_no_other_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> list[tuple[int, int]]:
        brokers = Brokers(2)
        told = [await brokers.ask(0)]
        await brokers.answer(0, 3)
        await brokers.fetch()
        told += [await brokers.ask(0), await brokers.ask(1)]
        await brokers.answer(0, 0)
        told += [await brokers.ask(0)]
        return told

    collects = (round(COLLECT * 1_000), COLLECTED_BYTES)
    assert run_in_time(story(), monkeypatch) == [UNTOLD, collects, UNTOLD, UNTOLD]


def test_a_fetch_that_fails_counts_as_an_answer_without_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> tuple[tuple[int, int], float, dict[int, int]]:
        brokers = Brokers(2)
        await brokers.become_busy(0, 1)
        await brokers.ask(0)
        await brokers.ask(1)
        fetching_both = asyncio.create_task(brokers.fetch())
        await asyncio.sleep(SHARE)
        await brokers.answer(1, 1)
        await asyncio.sleep(0.1)
        await brokers.fail(0)
        fetched = await fetching_both
        return await brokers.ask(0), asyncio.get_running_loop().time(), counts(fetched)

    told, ended, brought = run_in_time(story(), monkeypatch)
    assert told == UNTOLD
    assert ended == pytest.approx(SHARE + 0.1), "nobody waits for it any longer"
    assert brought == {1: 1}


@pytest.mark.parametrize(
    ("highwater", "last_stable", "collects"),
    [
        (None, None, True),
        (1, None, True),
        (0, None, True),
        (2, None, False),
        (2, 1, True),
        (1, 2, False),
        (9, 0, True),
    ],
)
def test_a_broker_collects_only_where_nothing_is_known_to_be_there_that_may_be_read(
    *, highwater: int | None, last_stable: int | None, collects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> bool:
        brokers = Brokers(1)
        await brokers.become_busy(0)
        state = brokers.state(0)
        assert state.position == 1
        state.highwater, state.lso = highwater, last_stable
        return await brokers.ask(0) != UNTOLD

    assert run_in_time(story(), monkeypatch) is collects


def test_one_partition_with_a_backlog_is_enough_that_its_broker_does_not_collect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> list[bool]:
        brokers = Brokers(2)
        await brokers.become_busy(0)
        collected = []
        for end in (0, 1):
            brokers.state(1).lso = end
            collected.append(await brokers.ask(0, 0, 1) != UNTOLD)
            await brokers.answer(0, 1)
            await brokers.fetch()
        return collected

    assert run_in_time(story(), monkeypatch) == [True, False]


def test_what_has_come_waits_for_the_answers_of_the_other_brokers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> tuple[Fetched, float]:
        brokers = Brokers(3)
        await brokers.become_busy(0, 1, 2)
        for broker in range(3):
            await brokers.ask(broker)
        fetching_all = asyncio.create_task(brokers.fetch())
        await asyncio.sleep(SHARE)
        await brokers.answer(0, 1)
        await asyncio.sleep(0.1)
        await brokers.answer(1, 0)
        await asyncio.sleep(0.1)
        await brokers.answer(2, 2)
        return await fetching_all, asyncio.get_running_loop().time()

    fetched, ended = run_in_time(story(), monkeypatch)
    assert counts(fetched) == {0: 1, 2: 2}
    assert ended == pytest.approx(SHARE + 0.2)
    assert fetched.waited_seconds == pytest.approx(0.2 + SHARE + 0.2), "for the others, and the longest at its broker"


def test_a_broker_that_does_not_answer_is_not_waited_for_beyond_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> tuple[Fetched, float]:
        brokers = Brokers(2)
        await brokers.become_busy(0, 1)
        await brokers.ask(0)
        await brokers.ask(1)
        fetching_both = asyncio.create_task(brokers.fetch())
        await asyncio.sleep(SHARE)
        await brokers.answer(0, 1)
        return await fetching_both, asyncio.get_running_loop().time()

    fetched, ended = run_in_time(story(), monkeypatch)
    assert counts(fetched) == {0: 1}
    assert ended == pytest.approx(COLLECT)
    assert fetched.waited_seconds == pytest.approx(COLLECT)


def test_a_message_after_silence_is_handed_on_at_once_and_has_waited_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> tuple[Fetched, float]:
        brokers = Brokers(2)
        await brokers.ask(0)
        await brokers.ask(1)
        fetching_both = asyncio.create_task(brokers.fetch())
        await asyncio.sleep(3)
        await brokers.answer(0, 1)
        return await fetching_both, asyncio.get_running_loop().time()

    fetched, ended = run_in_time(story(), monkeypatch)
    assert (counts(fetched), ended, fetched.waited_seconds) == ({0: 1}, 3, 0)


def test_a_fetch_that_brings_nothing_ends_in_time_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> tuple[Fetched, float, int]:
        brokers = Brokers(1)
        nothing = await brokers.fetch(timeout_seconds=0.5)
        ended = asyncio.get_running_loop().time()
        await asyncio.sleep(0)
        return nothing, ended, len(brokers.fetcher._fetch_waiters)

    nothing, ended, waiters = run_in_time(story(), monkeypatch)
    assert (nothing.records, nothing.waited_seconds, ended, waiters) == ({}, 0, 0.5, 0)


def test_how_long_messages_waited_is_told_with_them_and_not_with_an_empty_fetch_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> tuple[Fetched, Fetched]:
        brokers = Brokers(2)
        await brokers.become_busy(1)
        await brokers.ask(1)
        of_the_other = asyncio.create_task(brokers.fetch(0, timeout_seconds=0.5))
        await asyncio.sleep(0.25)
        await brokers.answer(1, 1)
        return await of_the_other, await brokers.fetch(1)

    empty, brought = run_in_time(story(), monkeypatch)
    assert (counts(empty), empty.waited_seconds) == ({}, 0)
    assert (counts(brought), brought.waited_seconds) == ({1: 1}, 0.25)


def test_an_answer_of_a_partition_that_was_not_asked_for_ends_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> tuple[Fetched, float]:
        brokers = Brokers(2)
        waiting = asyncio.create_task(brokers.fetch(0, timeout_seconds=0.5))
        await asyncio.sleep(0.3)
        brokers.bring(1, 1)
        brokers.notify()
        return await waiting, asyncio.get_running_loop().time()

    fetched, ended = run_in_time(story(), monkeypatch)
    assert (fetched.records, fetched.positions) == ({}, {tp(0): 0})
    assert ended == pytest.approx(0.5)


def test_what_ends_the_membership_is_raised_by_the_fetch_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> float:
        brokers = Brokers(1)
        waiting = asyncio.create_task(brokers.fetch())
        await asyncio.sleep(1)
        brokers.subscriptions.abort_waiters(GroupAuthorizationFailedError("group"))
        with pytest.raises(GroupAuthorizationFailedError):
            await waiting
        return asyncio.get_running_loop().time()

    assert run_in_time(story(), monkeypatch) == 1


def test_a_fetch_under_which_the_fetcher_is_closed_ends_without_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> tuple[Fetched, float]:
        brokers = Brokers(1)
        waiting = asyncio.create_task(brokers.fetch())
        await asyncio.sleep(1)
        brokers.fetcher._closed = True
        brokers.notify()
        return await waiting, asyncio.get_running_loop().time()

    fetched, ended = run_in_time(story(), monkeypatch)
    assert (fetched.records, fetched.waited_seconds, ended) == ({}, 0, 1)


@pytest.mark.parametrize(("consumer", "fetcher"), [(True, False), (False, True)])
def test_a_consumer_that_was_closed_fetches_nothing(
    *, consumer: bool, fetcher: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        brokers = Brokers(1)
        brokers.bring(0, 1)
        brokers.consumer._closed, brokers.fetcher._closed = consumer, fetcher
        with pytest.raises(ConsumerStoppedError):
            await brokers.fetch()

    run_in_time(story(), monkeypatch)


@pytest.mark.parametrize(("of_the_other", "asks_for_more"), [(1, True), (3, False)])
def test_a_partition_that_was_emptied_beside_a_full_one_is_asked_for_again_at_once(
    *, of_the_other: int, asks_for_more: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> tuple[dict[int, int], bool]:
        brokers = Brokers(2, most=2)
        brokers.bring(0, 3)
        brokers.bring(1, of_the_other)
        fetched = await brokers.fetch()
        return counts(fetched), brokers.fetcher._wait_consume_future.done()

    expected = ({0: 2, 1: min(of_the_other, 2)}, asks_for_more)
    assert run_in_time(story(), monkeypatch) == expected


def test_a_fetch_tells_where_each_partition_is_read_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> list[dict[TopicPartition, int]]:
        brokers = Brokers(3)
        brokers.bring(0, 2)
        told = [dict((await brokers.fetch(0, 1, 7)).positions)]
        brokers.state(1).await_reset(None)
        brokers.bring(0, 1)
        told.append(dict((await brokers.fetch(0, 1)).positions))
        brokers.subscriptions.unsubscribe()
        brokers.subscriptions.subscribe({TOPIC})
        told.append(read_positions(brokers.consumer, brokers.targets))
        return told

    assert run_in_time(story(), monkeypatch) == [
        {tp(0): 2, tp(1): 0},
        {tp(0): 3},
        {},
    ]


def test_a_partition_without_a_position_yet_brings_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> Fetched:
        brokers = Brokers(1)
        brokers.fetcher._records[tp(0)] = FetchError(error=NoOffsetForPartitionError(tp(0)), backoff=0)
        return await brokers.fetch()

    fetched = run_in_time(story(), monkeypatch)
    assert (fetched.records, fetched.waited_seconds) == ({}, 0)


def test_a_position_that_is_no_longer_in_the_log_is_a_fault_with_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> OffsetsLostError:
        brokers = Brokers(1)
        error = OffsetOutOfRangeError({AiokafkaPartition(*tp(0)): 7}, "and more of it")
        brokers.fetcher._records[tp(0)] = FetchError(error=error, backoff=0)
        with pytest.raises(OffsetsLostError) as raised:
            await brokers.fetch()
        return raised.value

    assert str(run_in_time(story(), monkeypatch)) == str(OffsetsLostError("group", {tp(0): (7, 40, 90)}))


def test_after_a_repositioning_no_broker_collects(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> tuple[int, int]:
        brokers = Brokers(1)
        await brokers.become_busy(0)
        await brokers.thread.reposition()
        return await brokers.ask(0)

    assert run_in_time(story(), monkeypatch) == UNTOLD


def test_a_partition_that_cannot_be_read_is_left_alone_for_a_while_and_read_on_when_it_is_repaired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> list[object]:
        brokers = Brokers(2)
        seen: list[object] = []
        for crc in (1, 1, None):
            brokers.bring_bytes(0, batch(record(0, b"u", b"1"), crc=crc))
            brokers.bring(1, 1)
            seen.append(counts(await brokers.fetch()))
            seen.append((sorted(number for _, number in brokers.thread.unreadable.partitions), brokers.state(0).paused))
            await asyncio.sleep(2 * FIRST_RETRY_SECONDS)
            await brokers.fetch(timeout_seconds=0.1)
            seen.append(brokers.state(0).paused)
        return seen

    assert run_in_time(story(), monkeypatch) == [
        {1: 1},
        ([0], True),
        False,
        {1: 1},
        ([0], True),
        False,
        {0: 1, 1: 1},
        ([], False),
        False,
    ]


def test_what_cannot_be_read_of_a_partition_that_was_given_up_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> int:
        brokers = Brokers(1)
        brokers.thread._on_unreadable(tp(7), Unreadable(offset=1, next_offset=2, why="broken"))
        brokers.thread.unreadable.note(tp(7), Unreadable(offset=1, next_offset=2, why="broken"))
        await asyncio.sleep(FIRST_RETRY_SECONDS)
        await brokers.fetch(timeout_seconds=0.1)
        return len(brokers.thread.unreadable.partitions)

    assert run_in_time(story(), monkeypatch) == 1


def test_a_partition_that_could_not_be_read_before_it_was_positioned_is_fetched_and_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> list[tuple[int, bool]]:
        brokers = Brokers(1)
        seen = []
        for _ in range(2):
            brokers.bring_bytes(0, b"cut off")  # aiokafka fetches as soon as a partition is assigned
            seen.append((len(brokers.thread.unreadable.partitions), brokers.state(0).paused))
            await brokers.thread.reposition()
            seen.append((len(brokers.thread.unreadable.partitions), brokers.state(0).paused))
        return seen

    assert run_in_time(story(), monkeypatch) == [(1, True), (0, False)] * 2


def test_during_a_reassignment_nothing_is_taken_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> list[dict[int, int]]:
        brokers = Brokers(1)
        ended = asyncio.Event()
        monkeypatch.setattr(SubscriptionState, "reassignment_in_progress", property(lambda _: True))
        monkeypatch.setattr(SubscriptionState, "wait_for_assignment", lambda _: ended.wait())
        brokers.bring(0, 3)
        brokers.notify()
        fetching = asyncio.create_task(brokers.fetch())
        await asyncio.sleep(1.0)
        seen = [{0: -1} if not fetching.done() else counts(await fetching)]
        ended.set()
        return [*seen, counts(await fetching)]

    assert run_in_time(story(), monkeypatch) == [{0: -1}, {0: 3}]
