from __future__ import annotations

from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.delivery.request_batch import BatchInHand, RequestBatch, Run
from pipeline.kafka.dead_letters import DeadLetter
from pipeline.sinks.segment.api import STAGE
from tests.fakes.segment import TOPIC, FakeBatch, FakeMessage


def run_of(partition: int, *records: bytes, letters: int = 0) -> Run:
    messages = [FakeMessage(value=value, partition=partition, offset=n) for n, value in enumerate(records)]
    batch = FakeBatch(partition, messages, [])
    rejected = FakeMessage(value=b"{", partition=partition, offset=99)
    return Run(
        source=BatchInHand(batch=batch, since=0.0, size=0, unsettled=len(records)),
        records=records,
        messages=messages,
        times=[float(n) for n in range(len(records))],
        letters=[DeadLetter(stage=STAGE, destination="segment", reason=DeliveryRejectReason.NOT_JSON, message=rejected)]
        * letters,
    )


BATCH = RequestBatch(runs=(run_of(0, b"a", b"b"), run_of(1, b"c", letters=1), run_of(2, b"d", b"e", b"f")))


def test_indexes_count_the_records_of_all_runs_in_the_order_of_the_body() -> None:
    singles = BATCH.singles({0, 2, 5})
    assert [(index, run.records, run.times) for index, run in singles] == [
        (0, [b"a"], [0.0]),
        (2, [b"c"], [0.0]),
        (5, [b"f"], [2.0]),
    ]
    assert [(run.source.partition, run.messages[0].offset) for _, run in singles] == [
        ((TOPIC, 0), 0),
        ((TOPIC, 1), 0),
        ((TOPIC, 2), 2),
    ]


def test_an_index_outside_of_the_body_is_no_record() -> None:
    assert BATCH.singles({-1, 6, 99}) == []
    assert BATCH.except_for({-1, 6}).records == BATCH.records


def test_without_some_records_the_others_keep_their_order_and_empty_runs_go() -> None:
    rest = BATCH.except_for({0, 2, 4})
    assert [run.records for run in rest.runs] == [[b"b"], [b"d", b"f"]]
    assert rest.times == [1.0, 0.0, 2.0]
    assert BATCH.except_for(range(6)).runs == ()


def test_dead_letters_travel_with_neither() -> None:
    assert len(BATCH.letters) == 1
    assert BATCH.except_for({0}).letters == []
    assert [run.letters for _, run in BATCH.singles({2})] == [()]
