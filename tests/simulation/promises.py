"""What must always hold: promises 1, 3 and 4 of the architecture, and progress when faults end."""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.stream.ledger import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.core.messages import Message, MessageBatch
    from pipeline.kafka.dead_letters import DeadLetter
    from tests.simulation.log import Log, LoggedMessage, Written


class Promise(StrEnum):
    """A rule that must never be broken."""

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
    """A rule was broken."""

    def __init__(self, promise: Promise, text: str) -> None:
        super().__init__(f"{promise.value}: {text}")
        self.promise = promise


class Promises:
    """Records what was written, accepted and stored, independently of everything that is tested."""

    def __init__(self, logs: Mapping[TopicPartition, Log], *, any_order: bool) -> None:
        self._logs = logs
        self._any_order = any_order
        self._written: dict[bytes, Written] = {}
        self._users: defaultdict[str, list[Written]] = defaultdict(list)
        self._passed: defaultdict[str, int] = defaultdict(int)
        self.accepted = 0
        self.repeated = 0
        self.late = 0

    def wrote(self, logged: LoggedMessage) -> None:
        """Record a new record that can be sent."""
        written = logged.written
        if written is not None and logged.value is not None and not written.refused:
            self._written[logged.value] = written
            records = self._users[written.user]
            written.rank = len(records)
            records.append(written)

    def accept(self, values: Iterable[bytes]) -> None:
        """Record what the destination has accepted, in its order."""
        for value in values:
            written = self._written.get(value)
            if written is None:
                raise BrokenPromiseError(Promise.IDENTITY, f"{value!r} was never written")
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
        """Record what the destination refuses in an answer that accepts other records.

        A record that is accepted after that is late.
        """
        for value in values:
            if (written := self._written.get(value)) is not None:
                written.turned_down = True

    def store(self, letters: Iterable[DeadLetter]) -> None:
        """Record dead letters that are stored."""
        for letter in letters:
            logged = self._logged(letter.message)
            written = logged.written
            if written is not None and not (written.refused or written.turned_down):
                raise BrokenPromiseError(Promise.SPARING, f"{written.name} became a dead letter")
            logged.stored = True

    def settle(self, messages: Iterable[Message]) -> None:
        """Record messages that were settled by other means, in any order."""
        for message in messages:
            logged = self._logged(message)
            if logged.written is None or logged.written.refused:
                logged.stored = True
            elif not logged.settled:
                self.accept([message.value or b""])

    def acknowledge(self, batch: MessageBatch) -> None:
        """Check a batch that is about to be acknowledged."""
        if (unsettled := self.unsettled(batch.messages)) is not None:
            raise BrokenPromiseError(Promise.ACKNOWLEDGEMENT, f"p{batch.partition}@{unsettled.offset} is not settled")

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Check offsets that a worker is about to commit."""
        for partition, offset in offsets.items():
            safe = self._logs[partition].settled_to()
            if offset > safe:
                raise BrokenPromiseError(
                    Promise.COMMIT, f"{offset} of p{partition.partition} is committed, and @{safe} is not settled"
                )

    def unsettled(self, messages: Sequence[Message]) -> LoggedMessage | None:
        """Return the first message that is neither accepted nor stored."""
        for message in messages:
            logged = self._logged(message)
            if not logged.settled:
                return logged
        return None

    def _logged(self, message: Message) -> LoggedMessage:
        return self._logs[TopicPartition(message.topic, message.partition)].at(message.offset)

    def _pass(self, user: str) -> int:
        """Skip all records of a user that need not be accepted any more."""
        records, rank = self._users[user], self._passed[user]
        while rank < len(records) and (records[rank].accepted or records[rank].turned_down or not records[rank].copies):
            rank += 1
        self._passed[user] = rank
        return rank
