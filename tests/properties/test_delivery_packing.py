from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.packing import Backlog, LearntLimits, PackingLimits
from pipeline.delivery.request_batch import BatchInHand, Run
from pipeline.sinks.segment.body import ENVELOPE_BYTES, build_body
from tests.fakes.segment import FakeBatch, FakeMessage

MOST = 40
RUNS = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, MOST), max_size=8)), max_size=12)
LIMITS = st.builds(
    lambda spare, records: PackingLimits(
        max_bytes=ENVELOPE_BYTES + MOST + spare, max_records=records, max_record_bytes=MOST
    ),
    st.integers(0, 200),
    st.integers(1, 12),
)


def backlog_of(
    sizes: list[tuple[int, list[int]]], limits: PackingLimits | LearntLimits
) -> tuple[Backlog, list[tuple[int, bytes]]]:
    backlog, serial = Backlog(limits if isinstance(limits, LearntLimits) else LearntLimits(limits)), 0
    all_records: list[tuple[int, bytes]] = []
    for partition, lengths in sizes:
        records = []
        for length in lengths:
            serial += 1
            records.append(f"{serial}".zfill(length)[:length].encode())
        messages = [FakeMessage(value=value, partition=partition) for value in records]
        held = BatchInHand(batch=FakeBatch(partition, messages, []), since=0.0, size=0, unsettled=len(records))
        backlog.append(Run(held=held, records=records, messages=messages, times=[0.0] * len(records)))
        all_records.extend((partition, value) for value in records)
    return backlog, all_records


@given(RUNS, LIMITS)
def test_requests_hold_every_record_once_in_order_and_keep_the_limits_to_the_byte(
    sizes: list[tuple[int, list[int]]], limits: PackingLimits
) -> None:
    backlog, expected = backlog_of(sizes, limits)
    flights = []
    while backlog:
        before = backlog.fills_a_request
        flights.append(backlog.take())
        body = build_body(flights[-1].records or [b""], sent_at=0.0)
        assert len(body) == flights[-1].body_bytes <= limits.max_bytes
        assert flights[-1].record_count <= limits.max_records
        assert before or not backlog, "what waiting could have filled was taken whole"
    taken = [(run.held.batch.partition, value) for flight in flights for run in flight.runs for value in run.records]
    assert taken == expected


@given(RUNS, LIMITS)
def test_a_request_is_left_only_when_the_next_record_does_not_fit(
    sizes: list[tuple[int, list[int]]], limits: PackingLimits
) -> None:
    backlog, expected = backlog_of(sizes, limits)
    position = 0
    while backlog:
        flight = backlog.take()
        position += flight.record_count
        if position < len(expected):
            longer = build_body([*flight.records, expected[position][1]], sent_at=0.0)
            assert len(longer) > limits.max_bytes or flight.record_count == limits.max_records


@given(RUNS, LIMITS, st.lists(st.integers(0, 600), max_size=6))
def test_after_a_lesson_no_request_is_above_the_limit_and_nothing_is_lost_or_out_of_order(
    sizes: list[tuple[int, list[int]]], limits: PackingLimits, lessons: list[int]
) -> None:
    learnt = LearntLimits(limits)
    backlog, expected = backlog_of(sizes, learnt)
    taken = []
    while backlog:
        if lessons:
            before = learnt.max_bytes
            learnt.cured(lessons.pop())
            assert limits.least_bytes <= learnt.max_bytes <= before
        flight = backlog.take()
        assert flight.body_bytes <= learnt.max_bytes
        taken += [(run.held.batch.partition, value) for run in flight.runs for value in run.records]
    assert taken == expected


@given(RUNS, LIMITS, st.sets(st.integers(0, 3)))
def test_removing_partitions_leaves_the_others_whole(
    sizes: list[tuple[int, list[int]]], limits: PackingLimits, gone: set[int]
) -> None:
    backlog, expected = backlog_of(sizes, limits)
    backlog.remove([("segment.records", number) for number in gone])
    left = []
    while backlog:
        flight = backlog.take()
        left += [(run.held.batch.partition, value) for run in flight.runs for value in run.records]
    assert left == [each for each in expected if each[0] not in gone]
