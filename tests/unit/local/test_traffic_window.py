from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.broker import KEPT_BYTES_PER_PARTITION
from pipeline.local.traffic_window import (
    LARGEST_RECORD_BYTES,
    EvictionError,
    TopicOffsets,
    Window,
    check_nothing_was_dropped,
)

HALF = KEPT_BYTES_PER_PARTITION // 2
MOST_RECORDS = HALF // LARGEST_RECORD_BYTES


def offsets(*, low: int = 0, high: int = 0, read: int = 0) -> TopicOffsets:
    return TopicOffsets(low={0: low}, high={0: high}, read={0: read})


def test_an_empty_partition_has_room_for_half_of_what_the_broker_keeps() -> None:
    window = Window()
    assert window.has_room(0, messages=1, size=HALF)
    assert not window.has_room(0, messages=1, size=HALF + 1)


def test_what_is_not_committed_takes_room() -> None:
    window = Window()
    window.wrote(0, messages=10, size=HALF)
    assert not window.has_room(0, messages=1, size=1)
    assert window.has_room(1, messages=1, size=1)


def test_a_batch_makes_room_when_all_of_it_is_committed() -> None:
    window = Window()
    window.wrote(0, messages=10, size=HALF)
    window.settled(offsets(high=10, read=9), offsets())
    assert not window.has_room(0, messages=1, size=1)
    window.settled(offsets(high=10, read=10), offsets())
    assert window.has_room(0, messages=1, size=HALF)


def test_records_that_the_sink_has_not_settled_take_room_in_the_raw_topic() -> None:
    window = Window()
    window.settled(offsets(), offsets(high=MOST_RECORDS, read=0))
    assert not window.has_room(0, messages=1, size=1)
    window.settled(offsets(), offsets(high=MOST_RECORDS, read=1))
    assert window.has_room(0, messages=1, size=1)


def test_raw_messages_take_room_as_the_records_they_may_become_again() -> None:
    window = Window()
    window.wrote(0, messages=MOST_RECORDS - 5, size=1)
    assert window.has_room(0, messages=5, size=1)
    assert not window.has_room(0, messages=6, size=1)


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 800), st.integers(1, 400_000), st.floats(0, 1), st.floats(0, 1)), max_size=60
    )
)
def test_no_partition_of_either_topic_ever_holds_more_than_half_unread(
    steps: list[tuple[int, int, float, float]],
) -> None:
    """Every message becomes a largest record, and uncommitted messages become one again."""
    window = Window()
    batches: list[tuple[int, int]] = []  # end offset, bytes
    written = committed = settled = 0
    for messages, size, processor_share, sink_share in steps:
        if window.has_room(0, messages=messages, size=size):
            window.wrote(0, messages=messages, size=size)
            written += messages
            batches.append((written, size))
        assert sum(size for end, size in batches if end > committed) <= HALF
        assert (written - settled) * LARGEST_RECORD_BYTES <= HALF
        committed += int((written - committed) * processor_share)
        settled += int((committed - settled) * sink_share)
        window.settled(offsets(high=written, read=committed), offsets(high=committed, read=settled))


def test_a_dropped_message_that_nobody_had_read_is_an_error_that_counts() -> None:
    with pytest.raises(EvictionError, match="records: the broker dropped 3 messages of partition 0 unread"):
        check_nothing_was_dropped("records", offsets(low=10, high=20, read=7))


@pytest.mark.parametrize("read", [10, 15])
def test_a_dropped_message_that_was_read_before_does_no_harm(read: int) -> None:
    check_nothing_was_dropped("records", offsets(low=10, high=20, read=read))
