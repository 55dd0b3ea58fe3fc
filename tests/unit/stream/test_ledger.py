from __future__ import annotations

import pytest

from pipeline.stream.ledger import Ledger, Position, TopicPartition
from tests.fakes.stream import FakeMessage, messages, tp


class Settled:
    """Counts how often the ledger reported that something may be committed."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def settled() -> Settled:
    return Settled()


@pytest.fixture
def ledger(settled: Settled) -> Ledger:
    ledger = Ledger(on_settled=settled)
    ledger.assign({tp(): Position(offset=0, committed=True)})
    return ledger


def committable(ledger: Ledger) -> dict[TopicPartition, int]:
    return dict(ledger.committable().offsets)


def store(ledger: Ledger) -> None:
    ledger.stored(ledger.committable())


def test_an_acknowledged_batch_may_be_committed_to_the_offset_after_its_last_message(ledger: Ledger) -> None:
    ledger.deliver(tp(), messages(0, 1, 2)).acknowledge()
    assert committable(ledger) == {tp(): 3}


def test_nothing_may_be_committed_while_the_first_batch_is_unacknowledged(ledger: Ledger) -> None:
    ledger.deliver(tp(), messages(0, 1))
    ledger.deliver(tp(), messages(2, 3)).acknowledge()
    assert committable(ledger) == {}


def test_the_longest_acknowledged_prefix_may_be_committed_when_the_batch_before_it_follows(ledger: Ledger) -> None:
    first, second, third, _ = (ledger.deliver(tp(), messages(number)) for number in range(4))
    third.acknowledge()
    second.acknowledge()
    assert committable(ledger) == {}
    first.acknowledge()
    assert committable(ledger) == {tp(): 3}


def test_a_second_acknowledgement_of_a_batch_changes_nothing(ledger: Ledger, settled: Settled) -> None:
    batch = ledger.deliver(tp(), messages(0))
    batch.acknowledge()
    batch.acknowledge()
    assert committable(ledger) == {tp(): 1}
    assert settled.times == 1


def test_what_is_stored_is_not_offered_again(ledger: Ledger) -> None:
    ledger.deliver(tp(), messages(0)).acknowledge()
    store(ledger)
    assert committable(ledger) == {}


def test_a_commit_that_failed_is_offered_again(ledger: Ledger) -> None:
    ledger.deliver(tp(), messages(0)).acknowledge()
    ledger.committable()
    assert committable(ledger) == {tp(): 1}


def test_what_was_settled_during_a_commit_is_offered_after_it(ledger: Ledger) -> None:
    first, second = ledger.deliver(tp(), messages(0)), ledger.deliver(tp(), messages(1))
    first.acknowledge()
    running = ledger.committable()
    second.acknowledge()
    ledger.stored(running)
    assert committable(ledger) == {tp(): 2}


def test_an_older_commit_that_is_confirmed_late_takes_nothing_back(ledger: Ledger) -> None:
    first, second = ledger.deliver(tp(), messages(0)), ledger.deliver(tp(), messages(1))
    first.acknowledge()
    older = ledger.committable()
    second.acknowledge()
    store(ledger)
    ledger.stored(older)
    assert committable(ledger) == {}
    assert ledger.offsets_to_reread() == {tp(): 2}


def test_each_partition_has_its_own_prefix(ledger: Ledger) -> None:
    ledger.assign({tp(0): Position(0, committed=True), tp(1): Position(10, committed=True)})
    ledger.deliver(tp(0), messages(0))
    ledger.deliver(tp(1), messages(10, 11, partition=1)).acknowledge()
    assert committable(ledger) == {tp(1): 12}


def test_a_gap_between_two_batches_does_not_matter(ledger: Ledger) -> None:
    first, second = ledger.deliver(tp(), messages(3, 7)), ledger.deliver(tp(), messages(100))
    second.acknowledge()
    first.acknowledge()
    assert committable(ledger) == {tp(): 101}


def test_offsets_read_over_after_the_last_batch_are_settled_with_it(ledger: Ledger) -> None:
    batch = ledger.deliver(tp(), messages(0, 1))
    ledger.read({tp(): 9})
    assert committable(ledger) == {}
    batch.acknowledge()
    assert committable(ledger) == {tp(): 9}


def test_offsets_read_over_with_nothing_in_hand_may_be_committed_at_once(ledger: Ledger, settled: Settled) -> None:
    ledger.read({tp(): 5})
    assert committable(ledger) == {tp(): 5}
    assert settled.times == 1


def test_offsets_read_over_wait_for_a_batch_in_hand(ledger: Ledger) -> None:
    first = ledger.deliver(tp(), messages(0))
    second = ledger.deliver(tp(), messages(1))
    ledger.read({tp(): 4})
    first.acknowledge()
    assert committable(ledger) == {tp(): 1}
    second.acknowledge()
    assert committable(ledger) == {tp(): 4}


def test_reading_that_did_not_move_settles_nothing(ledger: Ledger, settled: Settled) -> None:
    ledger.read({tp(): 0})
    assert committable(ledger) == {}
    assert settled.times == 0


def test_a_batch_acknowledged_after_its_partition_was_given_up_does_not_count(ledger: Ledger, settled: Settled) -> None:
    batch = ledger.deliver(tp(), messages(0, 1))
    ledger.read({tp(): 2})
    ledger.revoke([tp()])
    batch.acknowledge()
    assert committable(ledger) == {}
    assert settled.times == 0


def test_a_batch_of_an_earlier_assignment_does_not_count_for_the_same_offsets_in_other_batches(ledger: Ledger) -> None:
    late = ledger.deliver(tp(), messages(0, 1, 2, 3))
    ledger.assign({tp(): Position(offset=0, committed=True)})
    first, second = ledger.deliver(tp(), messages(0, 1)), ledger.deliver(tp(), messages(2, 3))
    late.acknowledge()
    assert committable(ledger) == {}
    second.acknowledge()
    assert committable(ledger) == {}
    first.acknowledge()
    assert committable(ledger) == {tp(): 4}


def test_a_commit_that_returns_after_its_assignment_ended_does_not_touch_the_new_one(ledger: Ledger) -> None:
    ledger.deliver(tp(), messages(0, 1, 2)).acknowledge()
    running = ledger.committable()
    ledger.assign({tp(): Position(offset=0, committed=True)})
    ledger.stored(running)
    assert ledger.offsets_to_reread() == {tp(): 0}
    ledger.deliver(tp(), messages(0, 1)).acknowledge()
    assert committable(ledger) == {tp(): 2}


def test_a_first_position_is_committed_as_it_is(settled: Settled) -> None:
    ledger = Ledger(on_settled=settled)
    ledger.assign(
        {
            tp(): Position(offset=0, committed=False),
            tp(1): Position(offset=7, committed=False),
        }
    )
    assert settled.times == 1
    assert committable(ledger) == {tp(): 0, tp(1): 7}
    store(ledger)
    assert committable(ledger) == {}


def test_a_committed_position_asks_for_no_commit(ledger: Ledger, settled: Settled) -> None:
    assert committable(ledger) == {}
    assert settled.times == 0


def test_a_partition_that_is_not_assigned_takes_no_batch(ledger: Ledger) -> None:
    with pytest.raises(KeyError):
        ledger.deliver(tp(9), messages(0, partition=9))


def test_messages_count_as_in_hand_until_they_are_settled_in_order(ledger: Ledger) -> None:
    first, second = (
        ledger.deliver(tp(), messages(0, 1)),
        ledger.deliver(tp(), messages(2, 3, 4)),
    )
    second.acknowledge()
    assert (ledger.messages_of(tp()), ledger.messages_in_hand()) == (5, 5)
    first.acknowledge()
    assert (ledger.messages_of(tp()), ledger.messages_in_hand()) == (0, 0)


def test_a_partition_given_up_has_nothing_in_hand(ledger: Ledger) -> None:
    ledger.deliver(tp(), messages(0, 1))
    ledger.revoke([tp()])
    assert (ledger.messages_of(tp()), ledger.messages_in_hand(), ledger.partitions()) == (
        0,
        0,
        frozenset(),
    )


def test_giving_up_a_partition_that_is_not_held_is_no_error(ledger: Ledger) -> None:
    ledger.revoke([tp(5)])
    assert ledger.partitions() == {tp()}


def test_a_restart_reads_again_from_what_is_stored_and_not_from_what_is_settled(ledger: Ledger) -> None:
    ledger.deliver(tp(), messages(0, 1)).acknowledge()
    assert ledger.offsets_to_reread() == {tp(): 0}
    store(ledger)
    assert ledger.offsets_to_reread() == {tp(): 2}


def test_a_restart_reads_from_the_position_where_nothing_was_ever_stored(ledger: Ledger) -> None:
    ledger.assign({tp(): Position(offset=4, committed=False)})
    assert ledger.offsets_to_reread() == {tp(): 4}


def test_the_oldest_in_hand_is_the_first_that_is_not_settled_in_order(ledger: Ledger) -> None:
    assert ledger.oldest_in_hand(tp()) is None
    ledger.deliver(tp(), (first := messages(0, 1)))
    ledger.deliver(tp(), messages(2)).acknowledge()
    assert ledger.oldest_in_hand(tp()) is first[0]
    assert ledger.oldest_in_hand(tp(5)) is None


def test_an_assignment_ends_the_one_before_it(ledger: Ledger) -> None:
    ledger.deliver(tp(), messages(0, 1)).acknowledge()
    ledger.assign({tp(1): Position(offset=5, committed=True)})
    assert ledger.partitions() == {tp(1)}
    assert committable(ledger) == {}


def test_bytes_count_as_in_hand_until_their_messages_are_settled_in_order(ledger: Ledger) -> None:
    def run(offset: int, key: bytes | None, value: bytes | None) -> list[FakeMessage]:
        return [FakeMessage(offset=offset, key=key, value=value)]

    first = ledger.deliver(tp(), run(0, b"u-1", b"12345"))
    second = ledger.deliver(tp(), [*run(1, None, b"12"), *run(2, b"u", None)])
    assert ledger.bytes_of(tp()) == 11
    second.acknowledge()
    assert ledger.bytes_of(tp()) == 11
    first.acknowledge()
    assert ledger.bytes_of(tp()) == 0
    assert ledger.bytes_of(tp(9)) == 0
