"""The whole sink in virtual time: Kafka redelivers what was not acknowledged, the destination answers at random."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.sink import Sink
from pipeline.metrics.delivery import DeliveryMetrics
from tests.fakes.array_api import ArrayApi
from tests.fakes.segment import OK, TOPIC, FakeDeadLetters, FakeMessage, ScriptedApi, ids_of, options, record_of
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client.core import Metric

PARTITIONS: Final = 4
IN_HAND: Final = 2
BAD: Final = b"{"

Answer: TypeAlias = tuple[float, bool, Response]
"""Seconds until the answer, whether Segment accepted the records, and its answer."""

ANSWERS: st.SearchStrategy[Answer] = st.tuples(
    st.sampled_from([0.0, 0.1, 2.0, 14.0]),
    st.booleans(),
    st.sampled_from(
        [
            OK,
            OK,
            Answered(status=503),
            Answered(status=401),
            Answered(status=429, retry_after="9"),
            Unanswered(failure=Failure.TIMEOUT),
        ]
    ),
)
REVOCATIONS = st.tuples(
    st.sampled_from([0.1, 1.5, 20.0]), st.sets(st.integers(0, PARTITIONS - 1)), st.sampled_from([0.0, 5.0])
)


@dataclass(slots=True)
class Batch:
    partition: int
    messages: Sequence[FakeMessage]
    kafka: Kafka
    index: int
    generation: int
    topic: str = TOPIC

    def acknowledge(self) -> None:
        self.kafka.acknowledged(self)


@dataclass(slots=True)
class Kafka:
    """One log per partition; what was not acknowledged before a revocation is delivered again after it."""

    logs: list[list[list[bytes | None]]]
    settled: set[str]
    sink: Sink | None = None
    generation: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    next_index: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    committed: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    open: list[set[int]] = field(default_factory=lambda: [set() for _ in range(PARTITIONS)])
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def feed(self, partition: int) -> None:
        assert self.sink is not None
        log, opened = self.logs[partition], self.open[partition]
        while self.next_index[partition] < len(log) and len(opened) < IN_HAND:
            index = self.next_index[partition]
            messages = [
                FakeMessage(value=value, partition=partition, offset=index * 100 + n)
                for n, value in enumerate(log[index])
            ]
            opened.add(index)
            self.next_index[partition] += 1
            self.sink.accept(Batch(partition, messages, self, index, self.generation[partition]))

    def acknowledged(self, batch: Batch) -> None:
        assert batch.generation == self.generation[batch.partition], "acknowledged after it was given up"
        messages = {f"{batch.partition}/{message.offset}" for message in batch.messages}
        assert messages <= self.settled, "acknowledged before it was settled"
        self.open[batch.partition].remove(batch.index)
        self.committed[batch.partition] = min(self.open[batch.partition], default=self.next_index[batch.partition])
        if all(self.committed[number] == len(log) for number, log in enumerate(self.logs)):
            self.done.set()
        self.feed(batch.partition)

    async def rebalance(self, partitions: set[int], timeout_seconds: float) -> None:
        assert self.sink is not None
        await self.sink.revoke([(TOPIC, number) for number in partitions], timeout_seconds=timeout_seconds)
        for number in partitions:
            self.generation[number] += 1
            self.open[number].clear()
            self.next_index[number] = self.committed[number]
        for number in partitions:
            self.feed(number)


@dataclass(slots=True)
class Segment:
    """Accept records or not, answer or not, as scripted; then accept everything."""

    script: list[Answer]
    settled: set[str]
    accepted: dict[str, None] = field(default_factory=dict)
    under_way: list[str] = field(default_factory=list)

    def connect(self) -> Segment:
        return self

    async def post(self, body: bytes) -> Response:
        seconds, takes, response = self.script.pop(0) if self.script else (0.0, True, OK)
        ids = ids_of(body)
        assert not set(ids) & set(self.under_way), "one request under way per partition"
        self.under_way += ids
        try:
            if takes or response == OK:
                self.accepted |= dict.fromkeys(ids)
            await asyncio.sleep(seconds)
            if response == OK:
                self.settled |= set(ids)
            return response
        finally:
            self.under_way = [each for each in self.under_way if each not in ids]

    async def close(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class DeadLetters(FakeDeadLetters):
    settled: set[str] = field(default_factory=set)

    async def store(self, letters: Sequence[object]) -> None:
        await FakeDeadLetters.store(self, letters)  # type: ignore[arg-type]
        self.settled |= {f"{letter.message.partition}/{letter.message.offset}" for letter in self.letters}


def logs_of(shape: list[list[list[int]]]) -> list[list[list[bytes | None]]]:
    """Build logs from sizes; a size of 0 is a record that cannot be sent."""
    return [
        [
            [record_of(size, f"{partition}/{index * 100 + n}") if size else BAD for n, size in enumerate(batch)]
            for index, batch in enumerate(batches)
        ]
        for partition, batches in enumerate(shape)
    ]


SIZES = st.sampled_from([0, 200, 900, 9_000, 30_000])
SHAPES = st.lists(
    st.lists(st.lists(SIZES, min_size=1, max_size=6), max_size=4), min_size=PARTITIONS, max_size=PARTITIONS
)


@pytest.mark.parametrize("destination", ["segment", "array"])
@given(
    shape=SHAPES,
    script=st.lists(ANSWERS, max_size=12),
    revocations=st.lists(REVOCATIONS, max_size=4),
    lanes=st.sampled_from([1, 2, 3]),
)
def test_every_record_is_accepted_in_order_and_acknowledged_when_it_is_settled(
    destination: str,
    shape: list[list[list[int]]],
    script: list[Answer],
    revocations: list[tuple[float, set[int], float]],
    lanes: int,
) -> None:
    registry, settled = CollectorRegistry(), set[str]()
    kafka, segment = Kafka(logs_of(shape), settled), Segment(list(script), settled)
    chosen = options(lanes=lanes, max_batch_bytes=40_000, dead_letter_max_share=1.0)
    kafka.sink = Sink(
        api=ScriptedApi(chosen, segment.connect) if destination == "segment" else ArrayApi(connection=segment.connect),
        options=chosen,
        dead_letters=DeadLetters([], settled=settled),
        metrics=DeliveryMetrics(registry, destination=destination),
        wall_clock=lambda: 0.0,
        chance=lambda: 0.5,
    )

    async def story() -> list[Metric]:
        assert kafka.sink is not None
        running = asyncio.ensure_future(kafka.sink.run())
        for number in range(PARTITIONS):
            kafka.feed(number)
        for pause, partitions, timeout_seconds in revocations:
            await asyncio.sleep(pause)
            await kafka.rebalance(partitions, timeout_seconds)
        if any(kafka.logs):
            await kafka.done.wait()
        running.cancel()
        await asyncio.wait({running})
        return list(registry.collect())

    families = run_virtual(story())
    for partition, log in enumerate(kafka.logs):
        sendable = [
            ids_of(b'{"batch":[' + value + b"]}")[0] for batch in log for value in batch if value not in (BAD, None)
        ]
        assert [each for each in segment.accepted if each.startswith(f"{partition}/")] == sendable
    values = {
        sample.name: sample.value
        for family in families
        for sample in family.samples
        if "_records_" in sample.name and "reason" not in sample.labels
    }
    rejected = sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "onesignal_pipeline_sink_records_rejected_total"
    )
    name = "onesignal_pipeline_sink_records_"
    assert values[name + "in_flight"] == 0
    assert values[name + "received_total"] == (
        values[name + "accepted_total"] + rejected + values[name + "given_back_total"]
    )
