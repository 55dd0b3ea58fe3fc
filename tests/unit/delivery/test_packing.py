from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.delivery.limits import LearntLimits
from pipeline.delivery.packing import Backlog, fitting
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.delivery.request_batch import BatchInHand, RequestBatch, Run
from pipeline.kafka.dead_letters import DeadLetter
from pipeline.sinks.segment.api import STAGE
from tests.fakes.destinations import SELECTED, limits_of
from tests.fakes.segment import FakeBatch, FakeMessage

if TYPE_CHECKING:
    from pipeline.delivery.limits import RequestLimits

pytestmark = pytest.mark.usefixtures("destination")


def small() -> RequestLimits:
    """Build limits that two records of 16 and 15 bytes fill."""
    limits = SELECTED.limits
    return limits_of(max_bytes=limits.envelope_bytes + 31 + limits.separator_bytes, max_records=4, max_record_bytes=31)


def run_of(*records: bytes, partition: int = 0, since: float = 0.0) -> Run:
    messages = [FakeMessage(value=value, partition=partition, offset=n) for n, value in enumerate(records)]
    batch = FakeBatch(partition, messages, [])
    source = BatchInHand(batch=batch, since=since, size=sum(map(len, records)), unsettled=len(records))
    return Run(source=source, records=records, messages=messages, times=[0.0] * len(records))


def backlog_of(*runs: Run, limits: RequestLimits | None = None) -> Backlog:
    backlog = Backlog(LearntLimits(limits or small()))
    for run in runs:
        backlog.append(run)
    return backlog


def test_records_fit_up_to_the_last_byte() -> None:
    assert (
        fitting([b"x" * 16, b"x" * 15], used_bytes=SELECTED.limits.envelope_bytes, used_records=0, limits=small()) == 2
    )
    assert (
        fitting([b"x" * 16, b"x" * 16], used_bytes=SELECTED.limits.envelope_bytes, used_records=0, limits=small()) == 1
    )


def test_no_more_records_fit_than_a_request_may_have() -> None:
    assert fitting([b"x"] * 9, used_bytes=SELECTED.limits.envelope_bytes, used_records=1, limits=small()) == 3


def test_a_request_takes_the_oldest_records_and_leaves_the_rest_in_order() -> None:
    backlog = backlog_of(run_of(b"a" * 10, b"b" * 10), run_of(b"c" * 9, b"d" * 9, partition=1))
    assert [request_batch.records for request_batch in (backlog.take(), backlog.take())] == [
        [b"a" * 10, b"b" * 10, b"c" * 9],
        [b"d" * 9],
    ]
    assert not backlog


def test_a_request_stops_before_a_run_of_which_nothing_fits() -> None:
    backlog = backlog_of(run_of(b"a" * 20), run_of(b"b" * 20))
    assert [request_batch.records for request_batch in (backlog.take(), backlog.take())] == [[b"a" * 20], [b"b" * 20]]


def test_a_request_batch_knows_the_length_of_its_body() -> None:
    request_batch = backlog_of(run_of(b"{}", b"[]"), run_of(b"1")).take()
    assert request_batch.body_bytes(small()) == len(SELECTED.build_body(request_batch.records, sent_at=0.0))


def test_a_request_batch_without_records_is_an_envelope() -> None:
    assert Backlog(LearntLimits(small())).take().body_bytes(small()) == SELECTED.limits.envelope_bytes


@pytest.mark.parametrize(
    ("records", "full"),
    [
        ([], False),
        ([b"x"], False),
        ([b"x"] * 4, True),
        ([b"x" * 20] * 2, True),
    ],
)
def test_a_request_is_full_when_waiting_adds_nothing(records: list[bytes], *, full: bool) -> None:
    assert backlog_of(run_of(*records)).fills_a_request is full


def test_a_request_is_full_at_its_last_byte() -> None:
    room = small().max_bytes - small().envelope_bytes
    assert not backlog_of(run_of(b"x" * (room - 1))).fills_a_request
    assert backlog_of(run_of(b"x" * room)).fills_a_request


def test_taking_empties_what_fills_a_request() -> None:
    backlog = backlog_of(run_of(*[b"x"] * 5))
    backlog.take()
    assert not backlog.fills_a_request


def test_what_was_taken_leaves_room_for_as_many_bytes() -> None:
    backlog = backlog_of(run_of(b"a" * 20), run_of(b"b" * 20))
    seen = [backlog.fills_a_request]
    backlog.take()
    seen.append(backlog.fills_a_request)
    backlog.append(run_of(b"c" * 11))
    seen.append(backlog.fills_a_request)
    assert seen == [True, False, True]


def test_the_oldest_run_tells_since_when_records_wait() -> None:
    backlog = backlog_of(run_of(b"a", since=3.0), run_of(b"b", since=5.0))
    assert backlog.oldest_since == 3.0
    backlog.take()
    assert backlog.oldest_since is None


def test_removing_a_partition_keeps_the_order_of_the_others() -> None:
    backlog = backlog_of(run_of(b"a"), run_of(b"b", partition=1), run_of(b"c"), run_of(b"d", partition=2))
    backlog.remove([("segment.records", 0)])
    assert not backlog.fills_a_request
    assert backlog.take().records == [b"b", b"d"]


def test_removing_a_partition_makes_room_for_as_many_bytes() -> None:
    backlog = backlog_of(run_of(b"a" * 20), run_of(b"b" * 20, partition=1))
    backlog.remove([("segment.records", 0)])
    assert not backlog.fills_a_request


def test_what_waits_is_packed_by_the_limit_that_was_learnt_meanwhile() -> None:
    learnt = LearntLimits(limits_of(max_bytes=SELECTED.limits.envelope_bytes + 100, max_records=9, max_record_bytes=32))
    backlog = Backlog(learnt)
    backlog.append(run_of(*[b"x" * 20] * 4))
    seen = [backlog.fills_a_request]
    learnt.cured(2 * (SELECTED.limits.envelope_bytes + 45))
    seen.append(backlog.fills_a_request)
    assert seen == [False, True]
    assert [backlog.take().record_count for _ in range(2)] == [2, 2]


def test_the_times_of_a_run_are_cut_and_joined_with_its_records() -> None:
    run = replace(run_of(b"a", b"b", b"c"), times=[1.0, 2.0, 3.0])
    first, second = run.split(1)
    assert (first.times, second.times) == ([1.0], [2.0, 3.0])
    request_batch = RequestBatch(runs=(second, first))
    assert request_batch.times == [2.0, 3.0, 1.0]
    assert request_batch.only_letters().times == []


def test_dead_letters_travel_with_the_first_part_of_a_run_alone() -> None:
    letter = DeadLetter(
        stage=STAGE,
        destination="segment",
        reason=DeliveryRejectReason.NOT_JSON,
        message=FakeMessage(value=b"{", offset=9),
    )
    backlog = backlog_of(replace(run_of(*[b"x"] * 6), letters=[letter]))
    assert [request_batch.letters for request_batch in (backlog.take(), backlog.take())] == [[letter], []]
