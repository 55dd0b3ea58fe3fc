"""The Mixpanel sink with its own options and answers, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from pipeline.core.hold_reasons import HoldReason
from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.delivery.sink import Sink
from pipeline.metrics.delivery import DeliveryMetrics
from tests.fakes.mixpanel import ScriptedMixpanel, options, record, refusal, row, success
from tests.fakes.segment import (
    Acked,
    Effect,
    FakeBatch,
    FakeDeadLetters,
    FakeMessage,
    FakeSegment,
    Posted,
    Settled,
    Stored,
)
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

NOW = 1_767_225_600.0
A, B, C = (record(name) for name in "abc")
BUSY = Answered(status=503, body=b"upstream connect error")
CUT = success(3, whole=False)
LOST = Unanswered(failure=Failure.CONNECTION_LOST)


@dataclass(slots=True)
class Played:
    """A sink, what it sends and stores, and when."""

    answers: deque[Response]
    changes: dict[str, Any] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    posts: FakeSegment = field(init=False)
    letters: FakeDeadLetters = field(init=False)
    sink: Sink = field(init=False)

    def __post_init__(self) -> None:
        self.posts = FakeSegment(self.effects, script=deque(self.answers))
        self.letters = FakeDeadLetters(self.effects)
        chosen = options(**{"lanes": 1, "dead_letter_max_share": 1.0} | self.changes)
        self.sink = Sink(
            api=ScriptedMixpanel(self.posts.connect, max_records=chosen.max_batch_records),
            options=chosen,
            dead_letters=self.letters,
            metrics=DeliveryMetrics(self.registry, destination="mixpanel"),
            on_settled=lambda: self.effects.append(Settled()),
            wall_clock=lambda: NOW + asyncio.get_running_loop().time(),
            chance=lambda: 0.5,
        )

    def accept(self, *values: bytes, partition: int = 0) -> None:
        messages = [FakeMessage(value=value, partition=partition, offset=n) for n, value in enumerate(values)]
        self.sink.accept(FakeBatch(partition, messages, self.effects))

    def count(self, name: str, **labels: str) -> float:
        found = self.registry.get_sample_value(f"onesignal_pipeline_sink_{name}", {"destination": "mixpanel", **labels})
        return found or 0.0


def play(story: Callable[[Played], Coroutine[None, None, None]], *answers: Response, **changes: Any) -> Played:
    async def scene() -> Played:
        played = Played(deque(answers), changes)
        running = asyncio.ensure_future(played.sink.run())
        try:
            await story(played)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        return played

    return run_virtual(scene())


async def three_records(played: Played) -> None:
    played.accept(A, B, C)
    await asyncio.sleep(600.0)


def test_a_partial_answer_settles_what_was_imported_and_stores_the_rest_with_the_field_alone() -> None:
    with structlog.testing.capture_logs() as lines:
        played = play(three_records, refusal(row(1, "properties.time"), row(1, "event"), imported=2))
    assert played.effects == [Posted(("a", "b", "c")), Stored(("refused",)), Acked(0, 0), Settled()]
    (letter,) = played.letters.letters
    assert (letter.message.offset, letter.detail) == (1, "properties.time")
    assert played.count("records_accepted_total") == 2.0
    assert "private" not in f"{lines} {letter}"


def test_a_whole_refusal_is_dissected_until_the_record_at_fault_is_alone() -> None:
    whole, good = refusal("identity events are not allowed"), success(1)
    played = play(three_records, whole, good, whole, good)
    sent = [effect.message_ids for effect in played.effects if isinstance(effect, Posted)]
    assert sent == [("a", "b", "c"), ("a",), ("b",), ("c",)]
    assert [letter.message.offset for letter in played.letters.letters] == [1]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (success(2), "contradiction"),
        (CUT, "not_whole"),
        (Answered(status=200, content_type="text/html", body=b"<html>"), "not_understood"),
        (refusal(row(0), imported=1), "contradiction"),
        (refusal(row("0"), imported=2), "not_understood"),
    ],
)
def test_the_third_unclear_answer_in_a_row_holds_and_an_understood_one_ends_it(answer: Answered, problem: str) -> None:
    seen: list[tuple[float, bool]] = []

    async def story(played: Played) -> None:
        played.accept(A, B, C)
        for seconds in (1.5, 7.0, 14.0, 120.0):
            await asyncio.sleep(seconds - asyncio.get_running_loop().time())
            seen.append((played.count("unclear_answers_total", problem=problem), played.sink.status().holding))
            if seconds == 14.0:
                assert "PIPELINE_MIXPANEL_ENDPOINT" in (played.sink.status().hold_reason or "")
                assert played.sink.status().holds == {HoldReason.DESTINATION_REFUSES}

    with structlog.testing.capture_logs() as lines:
        played = play(story, answer, answer, answer)
    assert seen == [(1.0, False), (2.0, False), (3.0, True), (3.0, False)]
    assert played.effects == [*[Posted(("a", "b", "c"))] * 4, Acked(0, 0), Settled()]
    assert played.letters.letters == []
    assert sum("unclear" in line for line in lines) == 3


def test_another_failure_between_unclear_answers_ends_their_count() -> None:
    async def story(played: Played) -> None:
        played.accept(A, B, C)
        for _ in range(300):
            await asyncio.sleep(1.0)
            assert not played.sink.status().holding

    played = play(story, CUT, CUT, BUSY, CUT, LOST, CUT, CUT)
    assert played.effects[-2:] == [Acked(0, 0), Settled()]


def test_retries_wait_2_s_doubled_up_to_60_s_and_jitter() -> None:
    played = play(three_records, *[BUSY] * 7)
    waits = [round(after - before, 3) for before, after in pairwise(played.posts.posted_at)]
    assert waits == [5.0, 7.0, 11.0, 19.0, 35.0, 63.0, 63.0]


def test_a_429_stops_every_lane() -> None:
    async def story(played: Played) -> None:
        played.accept(A)
        await asyncio.sleep(2.0)
        played.accept(B, partition=1)
        await asyncio.sleep(60.0)

    played = play(story, Answered(status=429), lanes=2)
    first, *others = played.posts.posted_at
    assert [round(at - first, 3) for at in others] == [5.0, 5.0]


def test_a_413_halves_the_request_and_later_ones_are_smaller() -> None:
    large = [record(f"id-{number}", padding="x" * 250) for number in range(400)]

    async def story(played: Played) -> None:
        played.accept(*large)
        await asyncio.sleep(30.0)
        played.accept(*large, partition=1)
        await asyncio.sleep(30.0)

    played = play(story, Answered(status=413))
    first, *halves = [len(body) for body in played.posts.bodies]
    assert max(halves) <= first / 2 + 1_000
    assert len(halves) >= 4
    assert played.letters.letters == []
    assert played.count("records_accepted_total") == 800.0


def test_trap_7_an_event_more_than_an_hour_ahead_of_the_sinks_clock_is_not_sent() -> None:
    soon, late = record("soon", time=int((NOW + 3_600) * 1000)), record("late", time=int((NOW + 3_610) * 1000))

    async def story(played: Played) -> None:
        played.accept(soon, late)
        await asyncio.sleep(30.0)

    played = play(story)
    assert played.effects == [Posted(("soon",)), Stored(("too_far_ahead",)), Acked(0, 0), Settled()]


def test_the_breaker_is_asked_before_refused_records_become_dead_letters() -> None:
    records = [record(f"id-{number}") for number in range(400)]
    rows = [row(number) for number in range(300)]
    holding: list[tuple[bool, frozenset[HoldReason]]] = []

    async def story(played: Played) -> None:
        played.accept(*records)
        await asyncio.sleep(10.0)
        holding.append((played.sink.status().holding, played.sink.status().holds))
        await asyncio.sleep(120.0)

    played = play(story, refusal(*rows, imported=100), dead_letter_max_share=0.05)
    assert holding == [(True, frozenset({HoldReason.BREAKER}))]
    assert [len(effect.message_ids) for effect in played.effects if isinstance(effect, Posted)] == [400, 300]
    assert played.letters.letters == []


def test_a_lost_connection_repeats_the_same_bytes() -> None:
    played = play(three_records, LOST, replace(BUSY, status=502))
    assert len(set(played.posts.bodies)) == 1
    assert len(played.posts.bodies) == 3
