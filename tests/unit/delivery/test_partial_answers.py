"""An answer that accepts records and refuses others of the same request."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.delivery.actions import Acknowledge, Send, Store, Wait
from pipeline.delivery.decisions import Done, Hold, Refuse, RefusedRecord, Retry, settled
from pipeline.delivery.lane import Lane
from pipeline.delivery.limits import LearntLimits
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.metrics.delivery import UnclearAnswer
from tests.fakes.array_api import ArrayRejectReason, answer
from tests.fakes.attempts import ATTEMPT, UNKNOWN
from tests.fakes.destinations import APIS, SELECTED, limits_of
from tests.fakes.moody_breaker import MoodyBreaker
from tests.fakes.segment import TOPIC, Acked, FakeBatch, FakeMessage, Posted, Settled, Stored, record
from tests.fakes.sink_bench import Bench, bench
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from pipeline.delivery.actions import Action
    from pipeline.delivery.answers import Answered

pytestmark = pytest.mark.usefixtures("destination")
P0, P1 = (TOPIC, 0), (TOPIC, 1)
A, B, C, D, E = (record(name) for name in "abcde")
REFUSED = DeliveryRejectReason.REFUSED


def refusing(*indexes: int) -> Done:
    return Done(refused=tuple(RefusedRecord(index=index, reason=REFUSED) for index in indexes))


class Played:
    """A lane with batches in hand and its request in flight."""

    def __init__(self, *batches: list[bytes], max_records: int = 9) -> None:
        self.breaker = MoodyBreaker()
        self.lane = Lane(
            api=SELECTED,
            limits=LearntLimits(limits_of(max_records=max_records)),
            flush_interval_seconds=1.0,
            breaker=self.breaker,
            hold_seconds=60.0,
        )
        self.batches = [
            FakeBatch(
                number,
                [FakeMessage(value=value, partition=number, offset=offset) for offset, value in enumerate(values)],
                [],
            )
            for number, values in enumerate(batches)
        ]
        for batch in self.batches:
            self.lane.accept(batch, since=0.0)
        self.now = 1.0
        self.sent = self.sends()

    def act(self) -> Action:
        return self.lane.next_action(now=self.now, not_before=0.0)

    def sends(self) -> list[bytes]:
        action = self.act()
        assert isinstance(action, Send)
        return action.request_batch.records

    def stores(self) -> list[tuple[int, int, str]]:
        action = self.act()
        assert isinstance(action, Store)
        return [(each.message.partition, each.message.offset, each.reason.value) for each in action.letters]

    def answered(self, done: Done | Retry | Refuse) -> list[bytes]:
        return self.lane.answered(done, now=self.now).records


@pytest.mark.parametrize(
    ("indexes", "accepted", "stored"),
    [
        ((), [A, B, C, D], []),
        ((0,), [B, C, D], [(0, 0, "refused")]),
        ((3,), [A, B, C], [(1, 1, "refused")]),
        ((1, 2), [A, D], [(0, 1, "refused"), (1, 0, "refused")]),
        ((2, 2, 2), [A, B, D], [(1, 0, "refused")]),
        ((0, 1, 2, 3), [], [(0, 0, "refused"), (0, 1, "refused"), (1, 0, "refused"), (1, 1, "refused")]),
    ],
    ids=["none", "the first", "the last", "one of each batch", "one, three times", "all"],
)
def test_what_is_not_refused_is_settled_and_the_rest_becomes_dead_letters(
    indexes: tuple[int, ...], accepted: list[bytes], stored: list[tuple[int, int, str]]
) -> None:
    played = Played([A, B], [C, D])
    assert played.sent == [A, B, C, D]
    assert played.answered(refusing(*indexes)) == accepted
    assert played.lane.records_in_hand == len(stored)
    settled = [batch for batch in played.batches if all(number != batch.partition for number, *_ in stored)]
    if settled:
        assert played.act() == Acknowledge(batches=settled)
    if stored:
        assert played.stores() == stored
        played.lane.stored()
        rest = [batch for batch in played.batches if batch not in settled]
        assert played.act() == Acknowledge(batches=rest)
    assert played.act() == Wait(until=float("inf"))
    assert played.breaker.reserved == 0


def test_the_first_of_several_reasons_counts() -> None:
    played = Played([A])
    reasons = (ArrayRejectReason.NO_ID, REFUSED)
    played.answered(Done(refused=tuple(RefusedRecord(index=0, reason=reason) for reason in reasons)))
    assert played.stores() == [(0, 0, "no_id")]


def test_without_the_breakers_consent_the_lane_holds_and_sends_the_refused_records_alone_again() -> None:
    played = Played([A, B, C])
    played.breaker.says_no = True
    assert played.answered(refusing(0, 2)) == [B]
    assert played.lane.holds == {HoldReason.BREAKER}
    assert played.act() == Wait(until=61.0)
    played.now = 61.0
    assert played.sends() == [A, C]
    assert played.answered(Done()) == [A, C]
    assert played.lane.hold is None
    assert played.act() == Acknowledge(batches=played.batches)


def test_refused_records_are_dead_letters_when_the_breaker_consents_later() -> None:
    played = Played([A, B])
    played.breaker.says_no = True
    played.answered(refusing(1))
    played.now, played.breaker.says_no = 61.0, False
    assert played.sends() == [B]
    assert played.answered(refusing(0)) == []
    assert played.stores() == [(0, 1, "refused")]


def test_verdicts_that_the_breaker_has_allowed_are_final() -> None:
    played = Played([A, B, C, D, E], max_records=5)
    played.answered(Refuse(reason=REFUSED, advice="look"))
    assert played.sends() == [A, B]
    played.answered(refusing(0))
    assert played.sends() == [C, D]
    played.answered(Refuse(reason=REFUSED, advice="look"))
    assert played.sends() == [C]
    played.breaker.says_no = True
    played.answered(Refuse(reason=REFUSED, advice="look"))
    played.now, played.breaker.says_no = 61.0, False
    assert played.sends() == [C, D, E]
    played.answered(Done())
    assert played.stores() == [(0, 0, "refused")]


def test_a_verdict_on_every_record_leaves_those_before_it_open() -> None:
    """No record after the first verdict was accepted, so it can be withdrawn with the second."""
    played = Played([A, B, C, D], max_records=4)
    played.answered(Refuse(reason=REFUSED, advice="look"))
    assert played.sends() == [A]
    played.answered(Refuse(reason=REFUSED, advice="look"))
    assert played.sends() == [B]
    played.breaker.says_no = True
    played.answered(refusing(0))
    played.now = 61.0
    assert played.sends() == [A, B, C, D]


def test_indexes_count_the_body_as_it_was_sent_though_a_partition_was_given_up_meanwhile() -> None:
    played = Played([A, B], [C, D])
    played.lane.forget([P0])
    assert played.answered(refusing(0, 3)) == [C]
    assert played.stores() == [(1, 1, "refused")]


def test_a_refusal_about_what_was_given_up_alone_leaves_nothing_to_store() -> None:
    played = Played([A], [B])
    played.lane.forget([P0])
    played.breaker.says_no = True
    assert played.answered(refusing(0)) == [B]
    assert played.lane.hold is None
    assert played.act() == Acknowledge(batches=played.batches[1:])


def test_an_interrupted_storing_is_repeated_and_asks_no_breaker_again() -> None:
    played = Played([A, B])
    played.answered(refusing(1))
    assert played.stores() == [(0, 1, "refused")]
    played.breaker.says_no = True
    played.lane.interrupted(now=played.now)
    assert played.stores() == [(0, 1, "refused")]


@pytest.mark.parametrize(
    "done",
    [
        Done(),
        Done(accepted=3),
        refusing(0, 1, 2),
        Done(refused=refusing(2).refused, accepted=2),
        Done(refused=refusing(0, 0, 2).refused, accepted=1),
    ],
)
def test_an_answer_that_adds_up_is_trusted(done: Done) -> None:
    assert settled(done, ATTEMPT) == done


@pytest.mark.parametrize(
    "done",
    [
        refusing(3),
        refusing(-1),
        refusing(0, 99),
        Done(accepted=2),
        Done(accepted=4),
        Done(refused=refusing(0).refused, accepted=3),
        Done(refused=refusing(0, 0).refused, accepted=1),
    ],
)
def test_an_answer_that_contradicts_what_was_sent_is_unknown(done: Done) -> None:
    assert settled(done, ATTEMPT) == replace(UNKNOWN, unclear=UnclearAnswer.CONTRADICTION)


@pytest.mark.parametrize(
    "decision", [UNKNOWN, Hold(after_seconds=1.0, advice="look"), Refuse(reason=REFUSED, advice="")]
)
def test_other_decisions_claim_nothing(decision: Retry | Hold | Refuse) -> None:
    assert settled(decision, ATTEMPT) is decision


@pytest.fixture
def array() -> Iterator[None]:
    """Select the second destination, the only one with partial answers."""
    before, SELECTED.api = SELECTED.api, APIS["array"]
    yield
    SELECTED.api = before


def play(made: Bench, story: Callable[[], Coroutine[None, None, None]]) -> None:
    async def scene() -> None:
        running = asyncio.ensure_future(made.sink.run())
        try:
            await story()
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    run_virtual(scene())


@pytest.mark.usefixtures("array")
def test_the_sink_counts_and_logs_what_was_accepted_and_what_was_refused() -> None:
    made = bench()
    made.segment.script.append(answer((1, "no_id"), accepted=2))

    async def story() -> None:
        made.accept(0, A, B, C)
        await made.sink.drain(deadline_seconds=5.0)

    with structlog.testing.capture_logs() as lines:
        play(made, story)
    assert made.effects == [Posted(("a", "b", "c")), Stored(("no_id",)), Acked(0, 0), Settled()]
    assert made.count("records_accepted_total") == 2.0
    assert made.count("records_rejected_total", reason="no_id") == 1.0
    assert made.count("records_in_flight") == 0.0
    (logged,) = (line for line in lines if line["event"] == "request accepted in part")
    assert (logged["log_level"], logged["records"], logged["refused"], logged["answer"]) == ("warning", 3, 1, "400")
    assert "'b'" not in str(lines)


@pytest.mark.usefixtures("array")
@pytest.mark.parametrize(
    "claim",
    [
        answer((3, "no_id"), accepted=2),
        answer(accepted=2),
        answer((0, "no_id"), accepted=3),
        replace(answer(accepted=3, status=200), whole=False),
    ],
)
def test_the_sink_sends_again_what_an_answer_contradicts_or_does_not_tell_whole(claim: Answered) -> None:
    made = bench()
    made.segment.script.append(claim)

    async def story() -> None:
        made.accept(0, A, B, C)
        await made.sink.drain(deadline_seconds=5.0)

    play(made, story)
    assert made.effects == [*[Posted(("a", "b", "c"))] * 2, Acked(0, 0), Settled()]
    assert made.count("records_accepted_total") == 3.0


@pytest.mark.usefixtures("array")
def test_a_request_of_which_everything_was_refused_is_no_delivery() -> None:
    made = bench(dead_letter_max_share=1.0)
    made.segment.script.append(answer((0, "no_id"), accepted=0))

    async def story() -> None:
        made.accept(0, A)
        await made.sink.drain(deadline_seconds=5.0)

    play(made, story)
    assert made.effects == [Posted(("a",)), Stored(("no_id",)), Acked(0, 0), Settled()]
    assert made.count("records_accepted_total") == 0.0
    assert made.count("request_batch_records_count") == 0.0
