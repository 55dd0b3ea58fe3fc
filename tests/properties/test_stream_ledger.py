"""The ledger compared with a simple model that remembers every offset, over any history of one group's partitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from pipeline.stream.ledger import Commit, DeliveredBatch, Ledger, Position, TopicPartition
from tests.fakes.stream import messages, tp

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTITIONS = [tp(0), tp(1)]
gaps = st.integers(min_value=0, max_value=3)


@dataclass(slots=True)
class Model:
    """A partition during one assignment: every delivered offset, and whether it is settled."""

    start: int
    stored: int | None
    read_to: int
    settled: dict[int, bool] = field(default_factory=dict)
    """By offset, in order of delivery."""

    def note(self) -> None:
        """Treat what was read over as settled, if nothing before it is open."""
        if all(self.settled.values()):
            self.start = max(self.start, self.read_to)

    def prefix(self) -> int:
        """Return the offset before which everything delivered is settled."""
        first_open = next((offset for offset, settled in self.settled.items() if not settled), None)
        done = [offset + 1 for offset in self.settled if first_open is None or offset < first_open]
        return max([self.start, *done])


@dataclass(slots=True, eq=False)
class Held:
    """A batch with the model of the assignment that it belongs to."""

    batch: DeliveredBatch
    model: Model
    offsets: Sequence[int]


class LedgerMachine(RuleBasedStateMachine):
    held = Bundle("held")
    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.woken = False
        self.ledger = Ledger(on_settled=self._wake)
        self.models: dict[TopicPartition, Model] = {}
        self.broker: dict[TopicPartition, int] = {}

    def _wake(self) -> None:
        self.woken = True

    @initialize()
    def join(self) -> None:
        self.assign(set(PARTITIONS))

    @rule(partitions=st.sets(st.sampled_from(PARTITIONS)))
    def assign(self, partitions: set[TopicPartition]) -> None:
        """Rebalance: everything in hand is given up, and the group's committed offsets are the new positions."""
        positions = {each: Position(self.broker.get(each, 0), each in self.broker) for each in partitions}
        self.models = {
            each: Model(start=position.offset, stored=position.offset if position.committed else None, read_to=0)
            for each, position in positions.items()
        }
        self.ledger.assign(positions)

    @rule(where=st.sampled_from(PARTITIONS))
    def revoke(self, where: TopicPartition) -> None:
        self.models.pop(where, None)
        self.ledger.revoke([where])

    @rule(target=held, where=st.sampled_from(PARTITIONS), skips=st.lists(gaps, min_size=1, max_size=4))
    def deliver(self, where: TopicPartition, skips: list[int]) -> object:
        """Deliver the next run of a partition, with gaps."""
        model = self.models.get(where)
        if model is None:
            return multiple()
        offsets, offset = [], max([model.start, model.read_to, *(each + 1 for each in model.settled)])
        for skip in skips:
            offset += skip
            offsets.append(offset)
            offset += 1
        model.settled.update(dict.fromkeys(offsets, False))
        batch = self.ledger.deliver(where, messages(*offsets, partition=where.partition))
        return Held(batch, model, offsets)

    @rule(where=st.sampled_from(PARTITIONS), over=gaps)
    def read_over(self, where: TopicPartition, over: int) -> None:
        model = self.models.get(where)
        if model is not None:
            model.read_to = max([model.start, model.read_to, *(each + 1 for each in model.settled)]) + over
            model.note()
            self.ledger.read({where: model.read_to})

    @rule(held=held)
    def acknowledge(self, held: Held) -> None:
        """Acknowledge any batch, in any order, twice, or long after its partition was given up."""
        held.model.settled.update(dict.fromkeys(held.offsets, True))
        held.model.note()
        held.batch.acknowledge()

    @rule(target=running)
    def begin_commit(self) -> Commit:
        return self.ledger.committable()

    @rule(commit=consumes(running), is_stored=st.booleans())
    def end_commit(self, commit: Commit, *, is_stored: bool) -> None:
        """End a commit, maybe after the assignment in which it began; the broker accepts it only before that."""
        if not is_stored:
            return
        for assignment, offset in commit.assignments:
            if assignment.held:
                model = self.models[assignment.partition]
                model.stored = max(offset, -1 if model.stored is None else model.stored)
                self.broker[assignment.partition] = max(offset, self.broker.get(assignment.partition, 0))
        self.ledger.stored(commit)

    @invariant()
    def what_may_be_committed_is_the_longest_settled_prefix_that_is_not_stored(self) -> None:
        expected = {
            where: model.prefix()
            for where, model in self.models.items()
            if model.stored is None or model.prefix() > model.stored
        }
        assert self.ledger.committable().offsets == expected

    @invariant()
    def no_commit_is_ahead_of_an_unsettled_message(self) -> None:
        for where, offset in self.ledger.committable().offsets.items():
            assert all(settled for each, settled in self.models[where].settled.items() if each < offset)

    @invariant()
    def what_is_in_hand_is_what_stands_behind_the_prefix(self) -> None:
        for where, model in self.models.items():
            in_order = [each for each in model.settled if each >= model.prefix()]
            assert self.ledger.messages_of(where) >= len([each for each in in_order if not model.settled[each]])
        assert self.ledger.partitions() == set(self.models)
        assert self.ledger.messages_in_hand() == sum(self.ledger.messages_of(where) for where in self.models)

    @invariant()
    def whoever_may_commit_was_told_so(self) -> None:
        assert self.woken or not self.ledger.committable().offsets


LedgerMachine.TestCase.settings = settings(stateful_step_count=40, deadline=None)
TestLedger = LedgerMachine.TestCase
