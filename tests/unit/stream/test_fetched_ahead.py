from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.consumer.fetcher import FetchError

from pipeline.kafka.fetched.messages import FetchedMessage
from pipeline.kafka.fetched.unpacking import BOUND, Codec
from pipeline.stream.fetched_ahead import FetchedAhead
from pipeline.stream.ledger import TopicPartition
from tests.fakes.batches import answered, batch, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.kafka.fetched.faults import Unreadable

PARTITION = TopicPartition("onesignal.events", 3)


def ahead_of(most_bytes: int = 1_000_000, most_message_bytes: int = 1_000_000) -> FetchedAhead:
    """Return an empty `FetchedAhead`; nothing in these tests is unreadable."""
    return FetchedAhead(
        on_unreadable=lambda partition, found: pytest.fail(f"{partition} {found}"),
        most_bytes=most_bytes,
        most_message_bytes=most_message_bytes,
    )


def fetched(*messages: tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]) -> bytes:
    return batch(
        *(
            record(offset, key, value, [(name.encode(), content) for name, content in headers])
            for offset, (key, value, headers) in enumerate(messages)
        )
    )


def messages_of(
    ahead: FetchedAhead, partition: TopicPartition = PARTITION, most: int = 100
) -> Sequence[FetchedMessage]:
    return ahead.take({partition}, most).messages[partition]


def test_fetched_records_become_messages_with_everything_that_is_read_of_them() -> None:
    ahead = ahead_of()
    answered(
        ahead,
        PARTITION,
        fetched((b"u-1", b"{}", []), (None, None, [("format-version", b"1"), ("source-offset", b"7")])),
    )

    assert messages_of(ahead) == [
        FetchedMessage("onesignal.events", 3, 0, 1_700_000_000_000, b"u-1", b"{}", ()),
        FetchedMessage("onesignal.events", 3, 1, 1_700_000_000_001, None, None, (("format-version", b"1"),)),
    ]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([("source-offset", b"7"), ("format-version", b"2")], b"2"),
        ([("format-version", b"3"), ("format-version", b"1")], b"3"),
        ([("format-version", b"1" * 100_000)], b"1" * 32),
        ([("format-version", b"")], b""),
        ([("format-version", None)], None),
        ([("traceparent", b"x" * 100_000)], None),
    ],
)
def test_of_foreign_headers_the_first_format_version_is_kept(given: Any, kept: bytes | None) -> None:
    ahead = ahead_of()
    answered(ahead, PARTITION, fetched((b"u-1", b"{}", given)))
    (message,) = messages_of(ahead)
    assert message.headers == (() if kept is None else (("format-version", kept),))


@pytest.mark.parametrize("version", [b"1", b"2"])
def test_a_message_in_hand_takes_no_more_memory_with_headers_than_without(version: bytes) -> None:
    ahead = ahead_of()
    ours = [("format-version", version), ("source-partition", b"3"), ("rules-version", b"0123456789ab")]
    answered(ahead, PARTITION, fetched(*[(b"u-1", b"{}", ours)] * 2))
    one, other = messages_of(ahead)
    assert one.headers == (("format-version", version),)
    assert one.headers is other.headers


def test_a_fetched_message_is_no_work_for_the_garbage_collector() -> None:
    ahead = ahead_of()
    answered(ahead, PARTITION, fetched((b"u-1", b"{}", [])))

    assert not any(gc.is_tracked(message) for message in messages_of(ahead))


def test_a_header_without_a_value_is_no_header() -> None:
    ahead = ahead_of()
    given = [("format-version", None), ("format-version", b"2")]
    answered(ahead, PARTITION, fetched((b"u-1", b"{}", given), (b"u-2", b"{}", [("format-version", None)])))
    assert [message.headers for message in messages_of(ahead)] == [(("format-version", b"2"),), ()]


def test_each_partition_is_taken_up_to_the_limit_of_messages() -> None:
    one, other = TopicPartition("onesignal.events", 1), TopicPartition("onesignal.events", 2)
    ahead = ahead_of()
    answered(ahead, one, fetched(*[(b"u-1", b"{}", [])] * 3))
    answered(ahead, other, fetched(*[(b"u-2", b"{}", [])] * 2))

    taken = ahead.take({one, other}, 2)

    assert {partition: [message.offset for message in found] for partition, found in taken.messages.items()} == {
        one: [0, 1],
        other: [0, 1],
    }
    assert taken.emptied is False
    assert [message.offset for message in messages_of(ahead, one, 2)] == [2]


def test_what_was_taken_to_its_end_makes_room_for_the_next_fetch() -> None:
    ahead = ahead_of()
    answered(ahead, PARTITION, fetched((b"u-1", b"{}", [])))
    taken = ahead.take({PARTITION}, 2)
    assert (taken.emptied, len(taken.messages[PARTITION]), list(ahead)) == (True, 1, [])


def test_partitions_that_were_not_asked_for_are_left_and_errors_wait_for_messages() -> None:
    other, failed = TopicPartition("onesignal.events", 2), TopicPartition("onesignal.events", 4)
    ahead = ahead_of()
    answered(ahead, PARTITION, fetched((b"u-1", b"{}", [])))
    answered(ahead, other, fetched((b"u-1", b"{}", [])))
    ahead[failed] = FetchError(error=ValueError("broken"), backoff=0)

    assert ahead.take({other, failed}, 2).messages.keys() == {other}
    assert list(ahead) == [PARTITION, failed]
    with pytest.raises(ValueError, match="broken"):
        ahead.take({failed}, 2)
    assert list(ahead) == [PARTITION]


def test_what_another_assignment_fetched_is_let_go() -> None:
    ahead = ahead_of()
    assignment = answered(ahead, PARTITION, fetched((b"u-1", b"{}", [])))
    assignment.position = 5
    assert ahead.take({PARTITION}, 2) == ({}, True)


def test_no_more_bytes_are_taken_at_once_than_a_fetch_has_whatever_they_were_packed_into() -> None:
    ahead = ahead_of(most_bytes=1_000)
    packed = batch(*(record(each, b"u", b"x" * 399) for each in range(7)), codec=Codec.ZSTD)
    assert len(packed) < 200
    answered(ahead, PARTITION, packed)
    runs = []
    while PARTITION in ahead:
        runs.append([message.offset for message in messages_of(ahead)])
    assert runs == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_message_that_is_larger_than_all_that_may_be_in_hand_is_not_taken() -> None:
    found: list[tuple[TopicPartition, Unreadable]] = []
    ahead = FetchedAhead(on_unreadable=lambda *each: found.append(each), most_bytes=1_000, most_message_bytes=1_000)
    data = batch(record(0, b"u", b"1"), record(1, b"u", b"x" * 1_000), record(2, b"u", b"3"), codec=Codec.GZIP)
    assignment = answered(ahead, PARTITION, data)

    assert [message.offset for message in messages_of(ahead)] == [0]

    assert (assignment.position, list(ahead)) == (1, [])
    ((partition, fault),) = found
    assert (partition, fault.offset, fault.setting) == (PARTITION, 1, "max_bytes_in_hand")
    assert fault.next_offset == 2, "the rest of its batch can be used"
    assert "1,001 bytes" in fault.why


def test_a_batch_that_finds_no_memory_waits_for_others_and_holds_up_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BOUND, "most_bytes", 100_000)
    one, other = TopicPartition("onesignal.events", 1), TopicPartition("onesignal.events", 2)
    ahead = ahead_of()
    for partition in (one, other):
        answered(ahead, partition, batch(*(record(each, b"u", b"x" * 6_000) for each in range(9)), codec=Codec.SNAPPY))

    taken = ahead.take({one, other}, 2)
    assert taken.messages.keys() == {one}
    assert not ahead.has_ready({other})
    assert ahead.has_ready({one})
    assert len(messages_of(ahead, one)) == 7
    assert ahead.has_ready({other})
    assert [message.offset for message in messages_of(ahead, other)] == list(range(9))


def test_the_error_of_a_fetch_is_kept_as_it_is_and_ready() -> None:
    ahead = ahead_of()
    error = FetchError(error=ValueError("broken"), backoff=0)
    ahead[PARTITION] = error

    assert ahead[PARTITION] is error
    assert ahead.has_ready({PARTITION})
