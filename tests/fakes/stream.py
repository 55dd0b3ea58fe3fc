"""Fakes around the stream: messages, a role's step, Kafka's consumer thread."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka.errors import IllegalStateError

from pipeline.stream.app import AppOptions, build_app
from pipeline.stream.fetching import Fetched
from pipeline.stream.ledger import Position, TopicPartition
from pipeline.stream.positions import Positions
from pipeline.stream.transport import BatchConsumer, Round, Transport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.core.messages import Message, MessageBatch
    from pipeline.kafka.groups import KnownSource
    from pipeline.stream.transport_options import TransportOptions

TOPIC = "onesignal.events"
BOUND_SECONDS = 5.0
"""How long a test waits for something that must happen soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMessage:
    """A Kafka message (`pipeline.core.messages.Message`)."""

    offset: int
    topic: str = TOPIC
    partition: int = 0
    key: bytes | None = None
    value: bytes | None = b"{}"
    timestamp: int = 1_700_000_000_000
    headers: tuple[tuple[str, bytes], ...] = ()


class UnsettledBatch:
    """Messages of partition 0 that are only decided (`pipeline.core.messages.MessageBatch`)."""

    topic, partition = TOPIC, 0

    def __init__(self, messages: Sequence[FakeMessage]) -> None:
        self.messages = messages

    def acknowledge(self) -> None:
        raise AssertionError("nothing is settled here")


def tp(partition: int = 0) -> TopicPartition:
    return TopicPartition(TOPIC, partition)


def messages(*offsets: int, partition: int = 0) -> tuple[FakeMessage, ...]:
    return tuple(FakeMessage(offset=offset, partition=partition) for offset in offsets)


@dataclass(slots=True, kw_only=True)
class FakeStatus:
    """The status of a step (`pipeline.runtime.status.StepStatus`), as the test sets it."""

    hold_reason: str | None = None
    holds: frozenset[HoldReason] = frozenset()
    retrying: bool = False
    on_purpose: Collection[tuple[str, int]] = ()


class FakeStep:
    """A step (`pipeline.stream.step.Step`) that keeps its batches until the test settles them.

    `effects` is the order of what happened to it. With `blocks_in_revoke` a test can inspect the middle of a
    revocation.
    """

    def __init__(self, *, settles_at_once: bool = False) -> None:
        self.settles_at_once = settles_at_once
        self.patience_seconds = 20.0
        self.batches: list[MessageBatch] = []
        self.rounds: list[tuple[int, float]] = []
        self.partitions: list[int] = []
        self.effects: list[str] = []
        self.now = FakeStatus()
        self.accept_error: Exception | None = None
        self.revoke_error: Exception | None = None
        self.settles_in_revoke = False
        self.may_revoke = asyncio.Event()
        self.may_revoke.set()
        self.in_revoke = asyncio.Event()
        self._news = asyncio.Event()
        self._fault: asyncio.Future[None] | None = None

    async def run(self) -> None:
        self._fault = asyncio.get_running_loop().create_future()
        await self._fault

    def fail(self, error: Exception) -> None:
        assert self._fault is not None
        self._fault.set_exception(error)

    def assigned(self, partitions: Collection[tuple[str, int]]) -> None:
        self.partitions = sorted(number for _, number in partitions)

    def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:
        if self.accept_error is not None:
            raise self.accept_error
        self.rounds.append((len(batches), waited_seconds))
        self.batches += batches
        self._news.set()
        if self.settles_at_once:
            for batch in batches:
                batch.acknowledge()

    async def drain(self, *, deadline_seconds: float) -> None:
        self.effects.append(f"drain {deadline_seconds:g}")

    async def revoke(self, partitions: Collection[tuple[str, int]], *, timeout_seconds: float) -> None:
        if not partitions:
            return  # the first time a group is joined
        self.effects.append(f"revoke {sorted(number for _, number in partitions)} {timeout_seconds:g}")
        self.in_revoke.set()
        await self.may_revoke.wait()
        if self.revoke_error is not None:
            raise self.revoke_error
        if self.settles_in_revoke:
            self.settle_all()

    def status(self) -> FakeStatus:
        return self.now

    def settle_all(self) -> None:
        for batch in self.batches:
            batch.acknowledge()

    def offsets(self, partition: int = 0) -> list[int]:
        """Return the offsets of one partition in the order of their arrival, with repetitions."""
        return [message.offset for batch in self.batches if batch.partition == partition for message in batch.messages]

    def values(self) -> list[bytes | None]:
        return [message.value for batch in self.batches for message in batch.messages]

    async def until(self, count: int, *, within_seconds: float | None = None) -> None:
        """Wait until this many messages have arrived.

        Raises:
            TimeoutError: they have not.
        """
        async with asyncio.timeout(within_seconds or self.patience_seconds):
            while sum(len(batch.messages) for batch in self.batches) < count:
                self._news.clear()
                await self._news.wait()


@dataclass(slots=True, kw_only=True)
class ScriptedThread:
    """The service around aiokafka's consumer (`pipeline.stream.fetching.Fetching`) with the test as the broker.

    A fetch waits for the next script; a repositioning and a commit are answered at once unless the test holds them.
    """

    positions: dict[TopicPartition, Position] = field(default_factory=dict)
    both_ends: dict[TopicPartition, tuple[int, int]] = field(default_factory=dict)
    readable_ends: dict[TopicPartition, int | None] = field(default_factory=dict)
    epoch: int = 0
    asked: list[set[TopicPartition]] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    stored: list[dict[TopicPartition, int]] = field(default_factory=list)
    refusals: deque[bool | Exception] = field(default_factory=deque)
    may_store: asyncio.Event = field(default_factory=asyncio.Event)
    may_reposition: asyncio.Event = field(default_factory=asyncio.Event)
    repositioned: asyncio.Event = field(default_factory=asyncio.Event)
    away: set[TopicPartition] = field(default_factory=set)
    ends_by_question: dict[TopicPartition, int] = field(default_factory=dict)
    commits_wait: bool = False
    abandoned: int = 0
    stores_running: int = 0
    most_stores_running: int = 0
    beacon: None = None
    _answers: asyncio.Queue[Fetched | BaseException] = field(default_factory=asyncio.Queue)
    _asking: asyncio.Event = field(default_factory=asyncio.Event)
    _storing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_store.set()
        self.may_reposition.set()

    async def fetch(self, partitions: Collection[TopicPartition], timeout_seconds: float) -> Fetched:
        self.asked.append(set(partitions))
        self.timeouts.append(timeout_seconds)
        self._asking.set()
        answer = await self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def answer(
        self,
        records: Mapping[TopicPartition, Sequence[Message]],
        *,
        epoch: int | None = None,
        positions: Mapping[TopicPartition, int] | None = None,
        waited_seconds: float = 0.0,
    ) -> None:
        """Return this from the next fetch; without an epoch, as read after the latest repositioning."""
        read_to = {each: run[-1].offset + 1 for each, run in records.items()} if positions is None else positions
        self._answers.put_nowait(
            Fetched(
                epoch=self.epoch if epoch is None else epoch,
                waited_seconds=waited_seconds,
                records=records,
                positions=read_to,
            )
        )

    def fail(self, error: BaseException) -> None:
        self._answers.put_nowait(error)

    async def until_asked(self, times: int = 1) -> None:
        """Wait until there were this many fetches in total."""
        async with asyncio.timeout(BOUND_SECONDS):
            while len(self.asked) < times:
                self._asking.clear()
                await self._asking.wait()

    async def until_stored(self, times: int) -> None:
        """Wait until this many commits were confirmed in total."""
        async with asyncio.timeout(BOUND_SECONDS):
            while len(self.stored) < times:
                self._storing.clear()
                await self._storing.wait()

    async def reposition(self) -> Positions:
        """Seek at once, as the real one does, and answer when the test allows."""
        self.epoch += 1
        positions = Positions(epoch=self.epoch, by_partition=dict(self.positions))
        self.repositioned.set()
        await self.may_reposition.wait()
        return positions

    async def store(self, offsets: Mapping[TopicPartition, int]) -> bool:
        self.stores_running += 1
        self.most_stores_running = max(self.most_stores_running, self.stores_running)
        try:
            await self.may_store.wait()
            match self.refusals.popleft() if self.refusals else True:
                case True:
                    self.stored.append(dict(offsets))
                    self._storing.set()
                    return True
                case False:
                    return False
                case Exception() as error:
                    raise error
        finally:
            self.stores_running -= 1

    def abandon_commit(self) -> None:
        """Count calls: a commit of this thread is never retried."""
        self.abandoned += 1

    def readable_end(self, where: TopicPartition) -> int | None:
        if where not in self.positions:
            raise IllegalStateError(f"{where} is not assigned")
        return self.readable_ends.get(where)

    def ends_of(self, where: TopicPartition) -> tuple[int, int] | None:
        return self.both_ends.get(where)

    async def ends(self, timeout_seconds: float) -> Mapping[TopicPartition, int]:
        del timeout_seconds
        return dict(self.ends_by_question)

    async def kafka_answers(self, where: TopicPartition, timeout_seconds: float) -> bool:
        del timeout_seconds
        return where not in self.away


class _ScriptedConsumer(BatchConsumer):
    def _new_consumer_thread(self) -> Any:
        return ScriptedThread()


class _ScriptedTransport(Transport):
    Consumer = _ScriptedConsumer


class FakeFetcher:
    """The part of Faust's fetcher service that the transport uses."""

    should_stop = False


class TransportBench:
    """A `BatchConsumer` between a scripted Kafka and a fake step. The test replaces the rest of Faust."""

    def __init__(
        self,
        *,
        max_messages_in_hand: int = 100,
        max_bytes_in_hand: int = 1_000_000,
        revoke_timeout_seconds: float = BOUND_SECONDS,
        source: KnownSource | None = None,
    ) -> None:
        self.step = FakeStep()
        self.step.patience_seconds = BOUND_SECONDS
        self.commits = 0
        options = app_options(
            revoke_timeout_seconds=revoke_timeout_seconds,
            max_messages_in_hand=max_messages_in_hand,
            max_bytes_in_hand=max_bytes_in_hand,
        )
        self.app = build_app(options, self.step, on_committed=self._on_committed, source=source)
        self.app.transport = _ScriptedTransport(
            self.app.conf.broker_consumer, self.app, options=self.app.transport.options
        )
        self.consumer: BatchConsumer = self.app.transport.create_consumer(
            callback=self._callback,
            on_partitions_revoked=self._revoked,
            on_partitions_assigned=self._assigned,
        )
        self.thread: ScriptedThread = self.consumer._thread
        self.crashes: list[BaseException] = []
        self.rebalances: list[str] = []
        self.may_deliver = asyncio.Event()
        self.may_deliver.set()
        self.delivering = asyncio.Event()
        self.fetcher = FakeFetcher()
        self.consumer.crash = self._crash
        self.consumer.stop_flow()

    @property
    def options(self) -> TransportOptions:
        return self.consumer.options

    async def join(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Do what Faust does when partitions were assigned: seek, then resume the flow."""
        self.thread.positions = dict(positions)
        self.consumer._set_active_tps(set(positions))
        await self.consumer.perform_seek()
        self.resume()

    def resume(self) -> None:
        self.app.flow_control.resume()
        self.consumer.resume_flow()

    async def revoke(self, partitions: Iterable[TopicPartition]) -> None:
        await self.consumer.on_partitions_revoked(set(partitions))

    def drain(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.consumer._drain_messages(self.fetcher))

    async def _callback(self, message: Any) -> None:
        self.delivering.set()
        await self.may_deliver.wait()
        fetched: Round = message.value
        self.step.accept(*fetched.batches, waited_seconds=fetched.waited_seconds)

    async def _revoked(self, revoked: Any) -> None:
        self.rebalances.append(f"revoked {sorted(number for _, number in revoked)}")

    async def _assigned(self, assigned: Any, generation_id: int) -> None:
        self.rebalances.append(f"assigned {sorted(number for _, number in assigned)} in {generation_id}")

    async def _crash(self, reason: BaseException) -> None:
        self.crashes.append(reason)

    def _on_committed(self) -> None:
        self.commits += 1


def app_options(**changes: Any) -> AppOptions:
    """Return the options of an app with short times; `changes` overrides fields."""
    options: dict[str, Any] = {
        "name": "test",
        "group": "group",
        "topic": TOPIC,
        "connection": {"bootstrap_servers": "127.0.0.1:9"},
        "data_directory": Path("build/never-made"),
        "session_timeout_seconds": 6.0,
        "rebalance_timeout_seconds": 10.0,
        "revoke_timeout_seconds": 2.0,
        "collect_seconds": 0.0,
        "max_bytes_in_hand": 4_194_304,
        "max_poll_interval_seconds": 604_800.0,
        "commit_interval_seconds": 0.2,
        "max_poll_records": 1_000,
        "max_messages_in_hand": 2_000,
        "fetch_max_bytes": 1_048_576,
    }
    return AppOptions(**{**options, **changes})
