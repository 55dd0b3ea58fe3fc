from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchError, FetchResult, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from pipeline.stream.fetched_messages import FetchedAhead, FetchedMessage
from pipeline.stream.ledger import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACE = TopicPartition("onesignal.events", 3)


class FakeSubscription:
    """An assignment in which everything is read from offset 0."""

    active = True
    paused = False
    position = 0

    def state_value(self, _place: object) -> FakeSubscription:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def fetched(*messages: tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]) -> Any:
    builder = DefaultRecordBatchBuilder(
        2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=100_000
    )
    for offset, (key, value, headers) in enumerate(messages):
        builder.append(offset, timestamp=1_700_000_000_000 + offset, key=key, value=value, headers=headers)
    records = MemoryRecords(bytes(builder.build()))
    answer = PartitionRecords(PLACE, records, [], 0, None, None, True, READ_COMMITTED)  # noqa: FBT003 - aiokafka's
    return FetchResult(PLACE, assignment=FakeSubscription(), partition_records=answer, backoff=0)


def test_fetched_records_become_messages_with_everything_that_is_read_of_them() -> None:
    ahead = FetchedAhead()
    ahead[PLACE] = fetched((b"u-1", b"{}", []), (None, None, [("format-version", b"1"), ("source-offset", b"7")]))

    assert ahead[PLACE].getall() == [
        FetchedMessage("onesignal.events", 3, 0, 1_700_000_000_000, b"u-1", b"{}", ()),
        FetchedMessage("onesignal.events", 3, 1, 1_700_000_000_001, None, None, (("format-version", b"1"),)),
    ]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([("source-offset", b"7"), ("format-version", b"2")], b"2"),
        ([("format-version", b"3"), ("format-version", b"1")], b"3"),
        ([("format-version", b"1" * 100_000)], b"1" * 32),
        ([("format-version", None)], b""),
        ([("traceparent", b"x" * 100_000)], None),
    ],
)
def test_of_foreign_headers_the_first_format_version_is_kept(given: Any, kept: bytes | None) -> None:
    ahead = FetchedAhead()
    ahead[PLACE] = fetched((b"u-1", b"{}", given))
    (message,) = ahead[PLACE].getall()
    assert message.headers == (() if kept is None else (("format-version", kept),))


@pytest.mark.parametrize("version", [b"1", b"2"])
def test_a_message_in_hand_takes_no_more_memory_with_headers_than_without(version: bytes) -> None:
    ahead = FetchedAhead()
    ours = [("format-version", version), ("source-partition", b"3"), ("rules-version", b"0123456789ab")]
    ahead[PLACE] = fetched(*[(b"u-1", b"{}", ours)] * 2)
    one, other = ahead[PLACE].getall()
    assert one.headers == (("format-version", version),)
    assert one.headers is other.headers


def test_a_fetched_message_is_no_work_for_the_garbage_collector() -> None:
    ahead = FetchedAhead()
    ahead[PLACE] = fetched((b"u-1", b"{}", []))

    assert not any(gc.is_tracked(message) for message in ahead[PLACE].getall())


def test_batches_are_topped_up_to_the_limit_of_each_partition() -> None:
    one, other = TopicPartition("onesignal.events", 1), TopicPartition("onesignal.events", 2)
    ahead = FetchedAhead({one: fetched(*[(b"u-1", b"{}", [])] * 3), other: fetched(*[(b"u-2", b"{}", [])] * 2)})
    taken = {one: ahead[one].getall(1)}

    may_fetch_more = ahead.top_up(taken, {one, other}, 2)

    assert {place: [message.offset for message in messages] for place, messages in taken.items()} == {
        one: [0, 1],
        other: [0, 1],
    }
    assert may_fetch_more is False


def test_what_was_taken_to_its_end_makes_room_for_the_next_fetch() -> None:
    ahead = FetchedAhead({PLACE: fetched((b"u-1", b"{}", []))})
    taken: dict[TopicPartition, list[FetchedMessage]] = {}

    may_fetch_more = ahead.top_up(taken, {PLACE}, 2)

    assert (may_fetch_more, len(taken[PLACE]), list(ahead)) == (True, 1, [])


def test_partitions_that_were_not_asked_for_and_errors_are_left_where_they_are() -> None:
    other = TopicPartition("onesignal.events", 2)
    error = FetchError(error=ValueError("broken"), backoff=0)
    ahead = FetchedAhead({PLACE: fetched((b"u-1", b"{}", [])), other: error})
    taken: dict[TopicPartition, list[FetchedMessage]] = {}

    assert ahead.top_up(taken, {other}, 2) is False
    assert (taken, list(ahead)) == ({}, [PLACE, other])


def test_the_error_of_a_fetch_is_kept_as_it_is() -> None:
    ahead = FetchedAhead()
    error = FetchError(error=ValueError("broken"), backoff=0)
    ahead[PLACE] = error

    assert ahead[PLACE] is error
