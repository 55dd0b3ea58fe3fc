from __future__ import annotations

import structlog
from aiokafka.errors import IllegalStateError

from pipeline.kafka.fetched.faults import MESSAGE_BOUND, Unreadable
from pipeline.stream.ledger import TopicPartition
from pipeline.stream.unreadable import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, UnreadablePartitions

PARTITION = TopicPartition("onesignal.events", 3)
BROKEN = Unreadable(offset=7, next_offset=9, why="its checksum does not match")


class Bench:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.partitions = UnreadablePartitions("processors", now=lambda: self.seconds)


class Resumed:
    """A consumer whose partitions were all revoked."""

    def resume(self, partition: object) -> None:
        raise IllegalStateError(partition)


def test_a_partition_is_tried_again_ever_more_slowly_and_never_less_than_once_in_a_while() -> None:
    bench = Bench()
    waits = []
    for _ in range(8):
        bench.partitions.note(PARTITION, BROKEN)
        since = bench.seconds
        while not bench.partitions.due():
            bench.seconds += 1
        assert bench.partitions.due() == set(), "once"
        waits.append(bench.seconds - since)
    assert waits[:2] == [FIRST_RETRY_SECONDS, 2 * FIRST_RETRY_SECONDS]
    assert set(waits[4:]) == {LAST_RETRY_SECONDS}


def test_a_hold_is_logged_once_with_everything_an_operator_needs_and_ends_when_it_is_read_past() -> None:
    bench = Bench()
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            bench.partitions.note(PARTITION, BROKEN)
        bench.partitions.read_to({PARTITION: 7, TopicPartition("other", 1): 99})
        assert bench.partitions.partitions == {PARTITION}
        bench.partitions.read_to({PARTITION: 8})
    assert [line["event"] for line in lines] == [
        "partition unreadable, holding",
        "partition readable again",
    ]
    told = lines[0]
    assert (told["topic"], told["partition"], told["offset"], told["log_level"]) == ("onesignal.events", 3, 7, "error")
    assert told["reason"] == (
        "onesignal.events[3] cannot be read from offset 7 on: its checksum does not match; repair the broker's copy, "
        "for example from another replica, or skip it, which loses its messages: stop the group's workers, then "
        "`kafka-consumer-groups --reset-offsets --to-offset 9 --group processors --topic onesignal.events:3 "
        "--execute`, and start them"
    )
    assert (bench.partitions.partitions, bench.partitions.complaint) == (set(), None)


def test_another_fault_of_the_same_partition_is_logged_and_tried_again_soon() -> None:
    bench = Bench()
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            bench.partitions.note(PARTITION, BROKEN)
        bench.partitions.note(PARTITION, Unreadable(offset=9, next_offset=11, why="cut off", setting=MESSAGE_BOUND))
    assert len(lines) == 2
    bench.seconds = FIRST_RETRY_SECONDS
    assert bench.partitions.due() == {PARTITION}
    assert "raise PIPELINE_MAX_BYTES_IN_HAND" in (bench.partitions.complaint or "")


def test_many_held_partitions_are_counted_and_a_rebalance_forgets_them() -> None:
    bench = Bench()
    for number in range(7):
        bench.partitions.note(TopicPartition("onesignal.events", number), BROKEN)
    complaint = bench.partitions.complaint or ""
    assert complaint.count("cannot be read") == 5
    assert complaint.endswith("; so are 2 other partitions")
    bench.partitions.forget(Resumed())
    bench.seconds = 1_000
    assert (bench.partitions.complaint, bench.partitions.due()) == (None, set())


def test_an_operator_is_told_where_it_is_not_known_how_much_must_be_passed_over() -> None:
    bench = Bench()
    bench.partitions.note(PARTITION, Unreadable(offset=7, next_offset=None, why="cut off"))
    assert "--to-offset 8 " in (bench.partitions.complaint or "")
    assert (bench.partitions.complaint or "").endswith("try larger offsets step by step")


def test_a_held_partition_waits_on_purpose_for_as_long_as_it_is_tried_again() -> None:
    bench = Bench()
    for _ in range(10):
        bench.partitions.note(PARTITION, BROKEN)
        while not bench.partitions.due():
            assert bench.partitions.on_purpose == [PARTITION]
            bench.seconds += 1
    bench.seconds += LAST_RETRY_SECONDS - 1
    assert bench.partitions.on_purpose == [PARTITION]
    bench.seconds += 1
    assert (bench.partitions.on_purpose, bench.partitions.partitions) == ([], {PARTITION}), (
        "nothing came of the last attempt"
    )
