"""The sink with fakes around it, in virtual time. All effects are compared in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import structlog

from pipeline.core.hold_reasons import HoldReason
from pipeline.delivery.answers import Answered, Failure, Unanswered
from pipeline.delivery.report import SUMMARY_FIELDS
from pipeline.kafka.certificates import CertificateFault
from pipeline.kafka.headers import FORMAT_VERSION
from tests.fakes.destinations import SELECTED
from tests.fakes.segment import (
    NEVER,
    OK,
    TOPIC,
    WRITE_KEY,
    Acked,
    After,
    FakeBatch,
    FakeMessage,
    Posted,
    Settled,
    Stored,
    record,
    record_of,
)
from tests.fakes.sink_bench import Bench, bench
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, MutableMapping

pytestmark = pytest.mark.usefixtures("destination")
T = TypeVar("T")

A, B, C, D = (record(name) for name in "abcd")
BAD = b"{"
UNKNOWN = Answered(status=401)


@contextlib.asynccontextmanager
async def running(made: Bench) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(made.sink.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(seconds: float) -> None:
    """Advance virtual time."""
    await asyncio.sleep(seconds - now())


def play(made: Bench, story: Callable[[Bench], Coroutine[None, None, T]]) -> T:
    async def scene() -> T:
        async with running(made):
            return await story(made)

    return run_virtual(scene())


def test_a_batch_is_acknowledged_after_segment_accepted_it() -> None:
    made = bench()
    made.segment.script.append(After(0.2))

    async def story(made: Bench) -> None:
        made.accept(0, A, B)
        await until(1.1)
        assert made.effects == [Posted(("a", "b"))]
        await until(1.3)

    play(made, story)
    assert made.effects == [Posted(("a", "b")), Acked(0, 0), Settled()]
    assert made.segment.posted_at == [1.0]


def test_partitions_of_a_lane_share_a_request_and_lanes_go_side_by_side() -> None:
    made = bench(lanes=2)
    made.segment.script.extend([After(5.0), OK])

    async def story(made: Bench) -> None:
        made.accept(0, A)
        made.accept(3, B)
        made.accept(1, C)
        await until(2.0)

    play(made, story)
    assert made.effects == [Posted(("a", "b")), Posted(("c",)), Acked(1, 0), Settled()]


def test_under_load_requests_are_full() -> None:
    made = bench(max_batch_bytes=40_000)

    async def story(made: Bench) -> None:
        for partition in range(3):
            made.accept(partition, *(record_of(900, f"{partition}-{n}") for n in range(100)))
        await made.sink.drain(deadline_seconds=9.0)

    play(made, story)
    assert all(39_000 < len(body) <= 40_000 for body in made.segment.bodies[:-1])
    assert made.count("records_accepted_total") == 300.0
    assert made.count("request_batch_fullness_ratio_count") == len(made.segment.bodies)


def test_a_failed_request_is_repeated_with_a_fresh_sent_at_and_the_same_records() -> None:
    made = bench()
    made.segment.script.extend([Answered(status=503), Unanswered(failure=Failure.TIMEOUT), OK])

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await until(1.1)
        assert made.sink.status().retrying
        made.accept(0, B)
        await until(5.0)

    play(made, story)
    assert made.effects == [
        *[Posted(("a",))] * 3,
        *[Acked(0, 0), Settled()],
        *[Posted(("b",)), Acked(0, 1), Settled()],
    ]
    assert made.segment.posted_at == [1.0, 1.25, 1.75, 2.1]
    if SELECTED.name == "segment":
        sent_at = [json.loads(body)["sentAt"][17:] for body in made.segment.bodies[:3]]
        assert sent_at == ["01.000Z", "01.250Z", "01.750Z"]
    assert made.count("attempts_total", answer="5xx") == 1.0
    assert made.count("attempts_total", answer="timeout") == 1.0
    assert made.count("attempts_total", answer="2xx") == 2.0


def test_retry_after_stops_all_lanes() -> None:
    made = bench(lanes=2)
    made.segment.script.append(Answered(status=429, retry_after="30"))

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await until(1.5)
        made.accept(1, B)
        await until(40.0)

    play(made, story)
    assert made.segment.posted_at == [1.0, 31.0, 31.001], "and a thousand requests a second are not passed"


def test_requests_keep_their_distance() -> None:
    made = bench(max_batch_records=1, max_requests_per_second=2.0)

    async def story(made: Bench) -> list[float]:
        made.accept(0, A, B, C)
        await until(5.0)
        return made.segment.posted_at

    assert play(made, story) == [0.0, 0.5, 1.0]


def test_an_answer_that_is_not_understood_holds_until_it_changes() -> None:
    made = bench()
    made.segment.script.extend([UNKNOWN, UNKNOWN, OK])

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await until(2.0)
        state = made.sink.status()
        assert (state.holding, state.retrying, state.holding_since) == (True, False, 1_767_225_601.0)
        assert (state.hold_reason or "").startswith(f"{SELECTED.title} answered 401: ")
        assert state.holds == {HoldReason.DESTINATION_REFUSES}
        await until(100.0)
        assert not made.sink.status().holding

    with structlog.testing.capture_logs() as lines:
        play(made, story)
    assert made.effects == [*[Posted(("a",))] * 3, Acked(0, 0), Settled()]
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("debug", "request refused, retrying slowly"),
        ("error", "sink holding"),
        ("info", "records delivered"),
        ("debug", "request refused, retrying slowly"),
        ("info", "records delivered"),
        ("debug", "request batch accepted"),
        ("info", "sink resumed"),
        ("info", "records delivered"),
    ]


def test_a_certificate_that_cannot_be_trusted_holds_until_it_can() -> None:
    made = bench(lanes=2)
    expired = Unanswered(failure=Failure.CERTIFICATE, certificate=CertificateFault.EXPIRED)
    made.segment.script.extend([expired, expired, OK])

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await until(2.0)
        state = made.sink.status()
        assert (state.holding, state.retrying) == (True, False)
        assert state.holds == {HoldReason.CERTIFICATE}
        assert "check the clock of this machine" in (state.hold_reason or "")
        await until(200.0)
        assert not made.sink.status().holding

    play(made, story)
    assert made.effects == [*[Posted(("a",))] * 3, Acked(0, 0), Settled()]
    assert made.count("attempts_total", answer="network") == 2.0


def test_a_doubtful_answer_is_accepted_counted_and_logged_once() -> None:
    made = bench(max_batch_records=1)
    made.segment.script.extend([Answered(status=200, content_type="text/html")] * 2)

    async def story(made: Bench) -> None:
        made.accept(0, A, B)
        await until(5.0)

    with structlog.testing.capture_logs() as lines:
        play(made, story)
    if SELECTED.name == "mixpanel":  # where the body carries the verdict, nothing is accepted without it
        assert made.count("unclear_answers_total", problem="not_understood") == 2.0
        assert made.count("doubtful_answers_total", content="page") == 0.0
        return
    assert made.effects == [Posted(("a",)), Posted(("b",)), Acked(0, 0), Settled()]
    assert made.count("doubtful_answers_total", content="page") == 2.0
    assert made.count("doubtful_answers_total", content="not_success") == 0.0
    assert [line["log_level"] for line in lines if "may be lost" in line["event"]] == ["warning"]


def test_a_bad_record_is_stored_before_its_batch_is_acknowledged() -> None:
    made = bench()

    async def story(made: Bench) -> None:
        made.accept(0, A, BAD, None, B)
        await until(2.0)

    with structlog.testing.capture_logs() as lines:
        play(made, story)
    size = len(made.segment.bodies[0])
    summary = {"event": "records delivered", "log_level": "info", "repeated": 0}
    assert lines[1:] == [
        summary | {"batches": 0, "records": 2, "rejected": 0, "requests": 1, "bytes": size},
        {
            "event": "records stored as dead letters",
            "log_level": "warning",
            "destination": SELECTED.name,
            "lane": 0,
            "reasons": {"not_json": 1, "tombstone": 1},
        },
        summary | {"batches": 1, "records": 0, "rejected": 2, "requests": 0, "bytes": 0},
    ]
    assert made.effects == [Posted(("a", "b")), Stored(("not_json", "tombstone")), Acked(0, 0), Settled()]
    assert [letter.message.offset for letter in made.dead_letters.letters] == [1, 2]
    assert made.count("records_rejected_total", reason="not_json") == 1.0
    assert made.count("records_in_flight") == 0.0


def test_every_reject_reason_is_counted_from_the_start() -> None:
    made = bench()
    samples = {
        sample.labels["reason"]
        for family in made.registry.collect()
        for sample in family.samples
        if sample.name == "onesignal_pipeline_sink_records_rejected_total"
    }
    assert samples == set(SELECTED.reject_reasons)


def test_a_flushed_batch_makes_one_line_without_bodies_ids_or_keys() -> None:
    made = bench()
    made.segment.script.append(Answered(status=500))

    async def story(made: Bench) -> None:
        made.accept(0, A, B)
        await until(3.0)

    with structlog.testing.capture_logs() as lines:
        play(made, story)
    size = len(made.segment.bodies[0])
    same = {"destination": SELECTED.name, "lane": 0, "records": 2, "bytes": size}
    failed = {"event": "request failed, retrying", "log_level": "warning", "answer": "500", "attempts": 1}
    accepted = {"event": "request batch accepted", "log_level": "debug", "answer": "200", "attempts": 2}
    summary = {"event": "records delivered", "log_level": "info", "rejected": 0}
    assert lines == [
        same | failed | {"after_seconds": 0.25},
        summary | {"batches": 0, "records": 0, "requests": 0, "repeated": 1, "bytes": 0},
        same | accepted | {"duration_seconds": 0.25},
        summary | {"batches": 1, "records": 2, "requests": 1, "repeated": 0, "bytes": size},
    ]
    assert WRITE_KEY not in str(lines)
    assert "u-1" not in str(lines)


def test_the_summary_counts_what_happens_while_segment_is_down() -> None:
    made = bench(retry_base_seconds=1.0, retry_max_seconds=1.0)
    made.segment.script.extend([Answered(status=500)] * 100)

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await until(25.0)
        assert not any(line["requests"] for line in summaries())
        assert sum(line["repeated"] for line in summaries()) >= 20, "two summaries or more of these 25 seconds"

    def summaries() -> list[MutableMapping[str, Any]]:
        return [line for line in lines if line["event"] == "records delivered"]

    with structlog.testing.capture_logs() as lines:
        play(made, story)
    assert {tuple(line) for line in summaries()} == {(*SUMMARY_FIELDS, "event", "log_level")}
    assert sum(line["repeated"] for line in summaries()) == len(made.segment.bodies) - 1


def test_a_way_that_takes_smaller_requests_is_warned_of_once() -> None:
    made = bench(max_batch_bytes=200_000)
    too_large = Answered(status=413)
    made.segment.script.extend([too_large, OK, OK, OK, too_large, OK, OK])

    async def story(made: Bench) -> None:
        for base in (0, 200, 400):
            made.accept(0, *(record_of(900, str(base + number)) for number in range(200)))
            await made.sink.drain(deadline_seconds=9.0)

    with structlog.testing.capture_logs() as lines:
        play(made, story)
    found = [line for line in lines if line["event"] == "request size limit lowered"]
    assert [line["log_level"] for line in found] == ["warning", "debug"]
    sizes = [line["limit_bytes"] for line in found]
    assert {line["setting"] for line in found} == {f"PIPELINE_{SELECTED.name.upper()}_MAX_BATCH_BYTES"}
    assert [line["before_bytes"] for line in found] == [200_000, sizes[0]]
    assert 200_000 > sizes[0] > sizes[1]


def test_a_drain_sends_what_is_in_hand_without_waiting() -> None:
    made = bench()

    async def story(made: Bench) -> None:
        made.accept(0, A)
        made.accept(1, B)
        await made.sink.drain(deadline_seconds=5.0)
        assert now() == 0.0

    play(made, story)
    assert made.effects == [Posted(("a", "b")), Acked(0, 0), Acked(1, 0), Settled()]


def test_a_drain_waits_for_the_request_in_flight_no_longer_than_its_deadline() -> None:
    made = bench()
    made.segment.script.append(NEVER)

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await made.sink.drain(deadline_seconds=5.0)
        assert now() == 5.0

    play(made, story)
    assert made.effects == [Posted(("a",))]


def test_a_drain_does_not_wait_for_what_cannot_settle_in_time() -> None:
    made = bench()
    made.segment.script.append(UNKNOWN)

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await made.sink.drain(deadline_seconds=20.0)
        assert now() == 0.0

    play(made, story)


def test_a_drain_repeats_what_can_still_settle_in_time() -> None:
    made = bench()
    made.segment.script.extend([Answered(status=503), OK])

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await made.sink.drain(deadline_seconds=20.0)
        assert now() == 0.25

    play(made, story)
    assert made.effects[-2:] == [Acked(0, 0), Settled()]


def test_a_sink_that_ended_has_nothing_to_drain() -> None:
    made = bench()

    async def story() -> None:
        async with running(made):
            made.accept(0, A)
            await asyncio.sleep(0)
        await made.sink.drain(deadline_seconds=5.0)
        assert now() == 0.0

    run_virtual(story())
    assert made.effects == []


def test_revoking_lets_the_request_in_flight_settle() -> None:
    made = bench()
    made.segment.script.append(After(2.0))

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await until(1.5)
        made.accept(0, B)
        await made.sink.revoke([(TOPIC, 0)], timeout_seconds=5.0)
        assert now() == 3.0
        await until(60.0)

    play(made, story)
    assert made.effects == [Posted(("a",)), Acked(0, 0), Settled()]
    assert made.count("records_given_back_total") == 1.0
    assert made.count("records_in_flight") == 0.0


def test_what_arrives_while_its_partition_is_revoked_is_not_sent() -> None:
    made = bench()
    made.segment.script.append(After(2.0))

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await until(1.5)
        made.accept(0, B)
        revoking = asyncio.ensure_future(made.sink.revoke([(TOPIC, 0)], timeout_seconds=5.0))
        await until(2.0)
        made.accept(0, C)
        await revoking
        await until(60.0)

    play(made, story)
    assert made.effects == [Posted(("a",)), Acked(0, 0), Settled()]
    assert made.count("records_given_back_total") == 2.0


def test_revoking_takes_a_request_off_the_wire_when_time_is_up() -> None:
    made = bench()
    made.segment.script.append(NEVER)

    async def story(made: Bench) -> None:
        made.accept(0, A)
        made.accept(1, B)
        await until(1.5)
        made.accept(1, C)
        await made.sink.revoke([(TOPIC, 0)], timeout_seconds=5.0)
        assert (now(), made.segment.cancelled) == (6.5, 1)
        await until(60.0)

    play(made, story)
    assert made.effects == [
        Posted(("a", "b")),
        *[Posted(("b",)), Acked(1, 0), Settled()],
        *[Posted(("c",)), Acked(1, 1), Settled()],
    ]
    assert made.count("records_given_back_total") == 1.0


def test_revoking_does_not_wait_while_holding() -> None:
    made = bench()
    made.segment.script.extend([UNKNOWN, OK])

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await until(1.5)
        await made.sink.revoke([(TOPIC, 0)], timeout_seconds=5.0)
        assert (now(), made.sink.status().holding) == (1.5, False)
        made.accept(0, A)
        await until(9.0)

    play(made, story)
    assert made.effects == [Posted(("a",)), Posted(("a",)), Acked(0, 1), Settled()]


def test_revoking_leaves_other_lanes_alone() -> None:
    made = bench(lanes=2)
    made.segment.script.append(After(2.0))

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await until(1.5)
        await made.sink.revoke([(TOPIC, 1)], timeout_seconds=5.0)
        assert now() == 1.5
        await until(9.0)

    play(made, story)
    assert made.effects == [Posted(("a",)), Acked(0, 0), Settled()]


def test_revoking_interrupts_the_storing_of_dead_letters() -> None:
    made = bench()
    made.dead_letters.gate = asyncio.Event()

    async def story(made: Bench) -> None:
        made.accept(0, BAD)
        made.accept(1, BAD)
        await until(1.5)
        await made.sink.revoke([(TOPIC, 0)], timeout_seconds=5.0)
        assert now() == 6.5
        assert made.dead_letters.gate is not None
        made.dead_letters.gate.set()
        await until(7.0)

    play(made, story)
    assert made.effects == [Stored(("not_json",)), Acked(1, 0), Settled()]


def test_a_fault_of_the_dead_letter_store_ends_the_sink_and_acknowledges_nothing() -> None:
    made = bench(lanes=2)
    made.dead_letters.fault = RuntimeError("no broker for us")

    async def story() -> None:
        made.accept(0, A, BAD)
        made.accept(1, B)
        with pytest.raises(RuntimeError, match="no broker for us"):
            await made.sink.run()

    run_virtual(story())
    assert Acked(0, 0) not in made.effects
    assert made.segment.open_clients == 0


def test_a_fault_of_the_program_ends_the_sink() -> None:
    made = bench(lanes=3)
    made.segment.script.append(ZeroDivisionError("a defect"))

    async def story() -> None:
        made.accept(0, A)
        with pytest.raises(ZeroDivisionError):
            await made.sink.run()

    run_virtual(story())
    assert made.effects == [Posted(("a",))]
    assert made.segment.open_clients == 0


def test_a_cancelled_sink_takes_its_requests_off_the_wire_and_closes_its_connections() -> None:
    made = bench(lanes=2)
    made.segment.script.append(NEVER)

    async def story(made: Bench) -> None:
        made.accept(0, A)
        await until(2.0)

    play(made, story)
    assert (made.segment.cancelled, made.segment.open_clients) == (1, 0)
    assert made.effects == [Posted(("a",))]


def test_a_sink_has_ended_when_its_requests_are_off_the_wire() -> None:
    made = bench()
    made.segment.script.append(NEVER)
    made.segment.cancelling_seconds = 1.0

    async def story() -> int:
        async with running(made):
            made.accept(0, A)
            await until(2.0)
        return made.segment.cancelled

    assert run_virtual(story()) == 1


def test_an_unknown_format_version_holds_its_partition_and_says_what_to_do() -> None:
    made = bench()

    async def story(made: Bench) -> None:
        made.accept(0, A, headers=[(FORMAT_VERSION, b"3")])
        made.accept(1, B)
        state = made.sink.status()
        assert state.holding
        assert "upgrade the sinks first" in (state.hold_reason or "")
        assert state.holds == {HoldReason.UNKNOWN_FORMAT}
        await until(5.0)
        await made.sink.drain(deadline_seconds=5.0)
        await made.sink.revoke([(TOPIC, 0)], timeout_seconds=5.0)
        assert (now(), made.sink.status().holding) == (5.0, False)

    play(made, story)
    assert made.effects == [Posted(("b",)), Acked(1, 0), Settled()]


def test_the_state_tells_what_is_in_hand() -> None:
    made = bench(lanes=2)
    made.segment.script.append(NEVER)

    async def story(made: Bench) -> None:
        made.accept(0, A)
        made.accept(1, B, C)
        await until(1.5)
        state = made.sink.status()
        assert (state.lanes_in_flight, state.records_in_hand) == (1, 1)
        assert state.bytes_in_hand == len(A)
        assert made.count("records_received_total") == 3.0
        assert made.count("records_in_flight") == 1.0

    play(made, story)


def test_the_sink_keeps_references_and_no_copies() -> None:
    made = bench()

    async def story(made: Bench) -> None:
        batch = made.accept(0, record_of(900, "x"))
        (run,) = made.sink._drivers[0].lane._intake.backlog._runs
        assert run.records[0] is batch.messages[0].value

    play(made, story)


def test_a_partition_is_given_up_when_its_request_is_off_the_wire() -> None:
    made = bench()
    made.segment.script.append(NEVER)
    made.segment.cancelling_seconds = 1.0

    async def story(made: Bench) -> int:
        made.accept(0, A)
        await until(2.0)
        await made.sink.revoke([(TOPIC, 0)], timeout_seconds=1.0)
        return made.segment.cancelled

    assert play(made, story) == 1


def test_a_drain_ends_with_the_sink() -> None:
    made = bench()
    made.segment.script.append(NEVER)

    async def story() -> float:
        async with running(made):
            made.accept(0, A)
            await until(2.0)
            draining = asyncio.create_task(made.sink.drain(deadline_seconds=1_000.0))
            await until(3.0)
        await draining
        return now()

    assert run_virtual(story()) == 3.0


def test_a_drain_wakes_a_lane_and_ends_the_hurry_when_it_ends() -> None:
    made = bench(flush_interval_seconds=60.0)

    async def story(made: Bench) -> list[float]:
        made.accept(0, A)
        await until(1.0)
        await made.sink.drain(deadline_seconds=5.0)
        made.accept(0, B)
        await until(100.0)
        return made.segment.posted_at

    assert play(made, story) == [1.0, 61.0]


def test_what_has_waited_in_kafka_waits_so_much_less_for_its_request() -> None:
    made = bench(flush_interval_seconds=10.0)

    async def story(made: Bench) -> list[float]:
        message = FakeMessage(value=A, partition=0, offset=0)
        made.sink.accept(FakeBatch(0, [message], made.effects), waited_seconds=4.0)
        await until(20.0)
        return made.segment.posted_at

    assert play(made, story) == [6.0]


def test_a_hold_goes_with_its_partition_and_the_others_are_sent_at_once() -> None:
    made = bench(retry_max_seconds=600.0)
    made.segment.script.append(UNKNOWN)

    async def story(made: Bench) -> tuple[str | None, list[float]]:
        made.accept(0, A)
        await until(2.0)
        made.accept(1, B)
        await until(5.0)
        assert made.sink.status().holding
        await made.sink.revoke([(TOPIC, 0)], timeout_seconds=0.0)
        reason = made.sink.status().hold_reason
        await until(8.0)
        return reason, made.segment.posted_at[1:]

    assert play(made, story) == (None, [5.0])


def test_records_that_wait_for_their_turn_are_not_stuck_and_those_in_flight_are_not_excused() -> None:
    made = bench(max_batch_records=1)
    made.segment.script.append(After(100.0))

    async def story(made: Bench) -> None:
        made.accept(0, A)
        made.accept(1, B)
        await until(50.0)
        assert made.sink.status().on_purpose == {(TOPIC, 1)}
        await until(102.0)
        assert made.sink.status().on_purpose == frozenset()

    play(made, story)


def test_records_that_wait_for_the_rate_that_all_lanes_share_are_not_stuck() -> None:
    made = bench(lanes=2, max_batch_records=1, max_records_per_second=0.01)

    async def story(made: Bench) -> None:
        for partition in range(4):
            made.accept(partition, A)
        await until(50.0)
        assert len(made.effects) == 3, "one was sent, acknowledged and settled"
        (settled,) = (effect.partition for effect in made.effects if isinstance(effect, Acked))
        assert made.sink.status().on_purpose == {(TOPIC, partition) for partition in range(4) if partition != settled}

    play(made, story)


def test_a_hold_or_a_retry_of_one_lane_excuses_its_own_partitions_alone() -> None:
    for answer in (UNKNOWN, Answered(status=503)):
        made = bench(lanes=2, retry_base_seconds=60.0)
        made.segment.script.extend([answer, After(100.0)])

        async def story(made: Bench) -> None:
            made.accept(0, A)
            await until(1.1)
            made.accept(1, B)
            await until(3.0)
            assert made.sink.status().on_purpose == {(TOPIC, 0)}

        play(made, story)


def test_dead_letters_that_are_written_again_excuse_the_lane_that_stores_them_alone() -> None:
    made = bench(lanes=3)

    async def story(made: Bench) -> None:
        made.dead_letters.gate = asyncio.Event()
        for partition in (0, 1):
            made.accept(partition, BAD)
        made.segment.script.append(After(100.0))
        made.accept(2, A)
        await until(3.0)
        assert made.sink.status().on_purpose == frozenset()
        made.dead_letters.repeated = {1, 2}
        assert made.sink.status().on_purpose == {(TOPIC, 1)}, "partition 2 stores nothing"

    play(made, story)


def test_a_batch_that_is_in_hand_and_waits_nowhere_is_stuck() -> None:
    made = bench()
    made.segment.script.append(After(100.0))

    async def story(made: Bench) -> None:
        made.accept(0, A)
        made.accept(1, B)
        await until(0.5)
        (lane,) = (driver.lane for driver in made.sink._drivers)
        lane._intake.backlog.remove({(TOPIC, 1)})
        await until(50.0)
        assert made.sink.status().on_purpose == frozenset()

    play(made, story)
