from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.limits import LearntLimits, RequestLimits
from pipeline.delivery.packing import Backlog
from pipeline.delivery.request_batch import BatchInHand, Run
from tests.fakes.destinations import APIS
from tests.fakes.segment import FakeBatch, FakeMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 40
RUNS = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, MOST), max_size=8)), max_size=12)
LIMITS = st.builds(
    lambda api, spare, records: replace(
        api.limits, max_bytes=api.limits.envelope_bytes + MOST + spare, max_records=records, max_record_bytes=MOST
    ),
    st.sampled_from(list(APIS.values())),
    st.integers(0, 200),
    st.integers(1, 12),
)


def body_bytes(records: Sequence[bytes], limits: RequestLimits) -> int:
    """Return the size of the destination's own body."""
    (api,) = (api for api in APIS.values() if api.limits.envelope_bytes == limits.envelope_bytes)
    return len(api.build_body(records, sent_at=0.0))


def backlog_of(
    sizes: list[tuple[int, list[int]]], limits: RequestLimits | LearntLimits
) -> tuple[Backlog, list[tuple[int, bytes]]]:
    backlog, serial = Backlog(limits if isinstance(limits, LearntLimits) else LearntLimits(limits)), 0
    all_records: list[tuple[int, bytes]] = []
    for partition, lengths in sizes:
        records = []
        for length in lengths:
            serial += 1
            records.append(f"{serial}".zfill(length)[:length].encode())
        messages = [FakeMessage(value=value, partition=partition) for value in records]
        source = BatchInHand(batch=FakeBatch(partition, messages, []), since=0.0, size=0, unsettled=len(records))
        backlog.append(Run(source=source, records=records, messages=messages, times=[0.0] * len(records)))
        all_records.extend((partition, value) for value in records)
    return backlog, all_records


@given(RUNS, LIMITS)
def test_requests_hold_every_record_once_in_order_and_keep_the_limits_to_the_byte(
    sizes: list[tuple[int, list[int]]], limits: RequestLimits
) -> None:
    backlog, expected = backlog_of(sizes, limits)
    batches = []
    while backlog:
        before = backlog.fills_a_request
        batches.append(backlog.take())
        size = body_bytes(batches[-1].records or [b""], limits)
        assert size == batches[-1].body_bytes(limits) <= limits.max_bytes
        assert batches[-1].record_count <= limits.max_records
        assert before or not backlog, "what waiting could have filled was taken whole"
    taken = [
        (run.source.batch.partition, value)
        for request_batch in batches
        for run in request_batch.runs
        for value in run.records
    ]
    assert taken == expected


@given(RUNS, LIMITS)
def test_a_request_is_left_only_when_the_next_record_does_not_fit(
    sizes: list[tuple[int, list[int]]], limits: RequestLimits
) -> None:
    backlog, expected = backlog_of(sizes, limits)
    position = 0
    while backlog:
        request_batch = backlog.take()
        position += request_batch.record_count
        if position < len(expected):
            longer = body_bytes([*request_batch.records, expected[position][1]], limits)
            assert longer > limits.max_bytes or request_batch.record_count == limits.max_records


@given(RUNS, LIMITS, st.lists(st.integers(0, 600), max_size=6))
def test_after_a_lesson_no_request_is_above_the_limit_and_nothing_is_lost_or_out_of_order(
    sizes: list[tuple[int, list[int]]], limits: RequestLimits, lessons: list[int]
) -> None:
    learnt = LearntLimits(limits)
    backlog, expected = backlog_of(sizes, learnt)
    taken = []
    while backlog:
        if lessons:
            before = learnt.max_bytes
            learnt.cured(lessons.pop())
            assert limits.least_bytes <= learnt.max_bytes <= before
        request_batch = backlog.take()
        assert request_batch.body_bytes(limits) <= learnt.max_bytes
        taken += [(run.source.batch.partition, value) for run in request_batch.runs for value in run.records]
    assert taken == expected


@given(RUNS, LIMITS, st.sets(st.integers(0, 3)))
def test_removing_partitions_leaves_the_others_whole(
    sizes: list[tuple[int, list[int]]], limits: RequestLimits, gone: set[int]
) -> None:
    backlog, expected = backlog_of(sizes, limits)
    backlog.remove([("segment.records", number) for number in gone])
    left = []
    while backlog:
        request_batch = backlog.take()
        left += [(run.source.batch.partition, value) for run in request_batch.runs for value in run.records]
    assert left == [each for each in expected if each[0] not in gone]
