"""What must hold, whatever happens: promises 1, 3 and 4 of the architecture, and progress when faults end."""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.stream.ledger import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.core.messages import Message, MessageBatch
    from pipeline.kafka.dead_letters import DeadLetter
    from tests.simulation.log import Entry, Log, Written


class Promise(StrEnum):
    """A line that must never be crossed."""

    COMMIT = "no committed offset passes anything that is not accepted or dead-lettered"
    ACKNOWLEDGEMENT = "a batch is acknowledged when every message of it is settled"
    ORDER = "a user's records are accepted in the order in which they were written"
    IDENTITY = "what is accepted is what was written"
    SUM = "received = accepted + rejected + in hand + given back"
    ONE_REQUEST = "a lane has one request in flight"
    LIMITS = "a request keeps the limits"
    OWNERSHIP = "nothing is sent of a partition that was given up"
    BOUND = "what is in hand is bounded"
    SPARING = "a record that was not refused is never a dead letter"
    BREAKER = "no dead letter is written without the breaker's consent"
    FINAL = "a record whose dead letter the breaker has allowed is not sent again"
    PROGRESS = "when the faults end, everything is settled and committed in time"
    NO_FAULT = "nothing raises"


class BrokenPromiseError(Exception):
    """A line was crossed."""

    def __init__(self, promise: Promise, text: str) -> None:
        super().__init__(f"{promise.value}: {text}")
        self.promise = promise


class Promises:
    """Knows what was written, accepted and stored, outside of everything that is tested."""

    def __init__(self, logs: Mapping[TopicPartition, Log], *, any_order: bool) -> None:
        self._logs = logs
        self._any_order = any_order
        self._written: dict[bytes, Written] = {}
        self._users: defaultdict[str, list[Written]] = defaultdict(list)
        self._passed: defaultdict[str, int] = defaultdict(int)
        self.accepted = 0
        self.repeated = 0
        self.late = 0

    def wrote(self, entry: Entry) -> None:
        """Note a new record that can be sent."""
        written = entry.written
        if written is not None and entry.value is not None and not written.refused:
            self._written[entry.value] = written
            line = self._users[written.user]
            written.rank = len(line)
            line.append(written)

    def accept(self, values: Iterable[bytes]) -> None:
        """Note what the destination has accepted, in its order."""
        for value in values:
            written = self._written.get(value)
            if written is None:
                raise BrokenPromiseError(Promise.IDENTITY, f"nobody wrote {value!r}")
            if written.accepted:
                self.repeated += 1
                continue
            written.accepted = True
            self.accepted += 1
            self.late += written.turned_down
            if not self._any_order and written.rank >= self._pass(written.user):
                behind = self._users[written.user][self._passed[written.user]]
                raise BrokenPromiseError(Promise.ORDER, f"{written.name} was accepted before {behind.name}")

    def turn_down(self, values: Iterable[bytes]) -> None:
        """Note what the destination refuses in an answer that accepts other records. Accepted later, it is late."""
        for value in values:
            if (written := self._written.get(value)) is not None:
                written.turned_down = True

    def store(self, letters: Iterable[DeadLetter]) -> None:
        """Note dead letters that are stored."""
        for letter in letters:
            entry = self._entry(letter.message)
            written = entry.written
            if written is not None and not (written.refused or written.turned_down):
                raise BrokenPromiseError(Promise.SPARING, f"{written.name} became a dead letter")
            entry.stored = True

    def settle(self, messages: Iterable[Message]) -> None:
        """Note messages that were settled by other means, in any order."""
        for message in messages:
            entry = self._entry(message)
            if entry.written is None or entry.written.refused:
                entry.stored = True
            elif not entry.settled:
                self.accept([message.value or b""])

    def acknowledge(self, batch: MessageBatch) -> None:
        """Look at a batch that is about to be acknowledged."""
        if (unsettled := self.unsettled(batch.messages)) is not None:
            raise BrokenPromiseError(Promise.ACKNOWLEDGEMENT, f"p{batch.partition}@{unsettled.offset} is not settled")

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Look at offsets that somebody asks to be committed."""
        for partition, offset in offsets.items():
            safe = self._logs[partition].settled_to()
            if offset > safe:
                raise BrokenPromiseError(
                    Promise.COMMIT, f"{offset} of p{partition.partition} is committed, and @{safe} is not settled"
                )

    def unsettled(self, messages: Sequence[Message]) -> Entry | None:
        """Find the first message that is neither accepted nor stored."""
        for message in messages:
            entry = self._entry(message)
            if not entry.settled:
                return entry
        return None

    def _entry(self, message: Message) -> Entry:
        return self._logs[TopicPartition(message.topic, message.partition)].at(message.offset)

    def _pass(self, user: str) -> int:
        """Go past everything of a user that needs nothing more to be accepted."""
        line, rank = self._users[user], self._passed[user]
        while rank < len(line) and (line[rank].accepted or line[rank].turned_down or not line[rank].copies):
            rank += 1
        self._passed[user] = rank
        return rank
