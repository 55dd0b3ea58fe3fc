"""A scripted broker: logs, a consumer group with generations, and commits and dead letters with delayed answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from pipeline.stream.ledger import TopicPartition
from tests.simulation.log import Log, Written
from tests.simulation.promises import Promises
from tests.simulation.scenario import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.kafka.dead_letters import DeadLetter
    from tests.simulation.scenario import Setup

TOPIC: Final = "segment.records"
SESSION_SECONDS: Final = 15.0
REBALANCE_SECONDS: Final = 30.0
NEVER: Final = float("inf")
POISON: Final = b',"poisoned":1'


class Sender(Protocol):
    """A worker that waits for an answer."""

    def wake(self) -> None:
        """Called when an answer has arrived."""


@dataclass(slots=True, eq=False, kw_only=True)
class CommitRequest:
    """A commit under way. ``stored`` is the answer, None until there is one. A ``lost`` commit never arrives."""

    sender: Sender
    member: int
    generation: int
    offsets: Mapping[TopicPartition, int]
    lost: bool
    stored: bool | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class StoreRequest:
    """Dead letters under way; their sender may be gone."""

    sender: Sender
    letters: Sequence[DeadLetter]
    confirmed: bool = False
    abandoned: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Group:
    """A consumer group. ``preparing_since`` is when its rebalance began; None while it is stable."""

    partitions: Sequence[TopicPartition]
    generation: int = 0
    preparing_since: float | None = None
    heard: dict[int, float] = field(default_factory=dict)
    joined: set[int] = field(default_factory=set)
    assignment: dict[int, list[TopicPartition]] = field(default_factory=dict)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    next_member: int = 0

    def join(self, member: int | None, now: float) -> int:
        """Join or rejoin; a member that was removed gets a new name."""
        if member is None or member not in self.heard:
            member, self.next_member = self.next_member, self.next_member + 1
        self.heard[member] = now
        self.prepare(now)
        self.joined.add(member)
        return member

    def prepare(self, now: float) -> None:
        """Begin a rebalance, unless one is under way."""
        if self.preparing_since is None and self.heard:
            self.preparing_since = now
            self.joined.clear()

    def leave(self, member: int, now: float) -> None:
        if self.heard.pop(member, None) is not None:
            self.joined.discard(member)
            self.prepare(now)

    def is_current(self, member: int, generation: int) -> bool:
        """Return whether the group is still in the generation that this member knows."""
        return self.preparing_since is None and self.knows(member, generation)

    def knows(self, member: int, generation: int) -> bool:
        """Return whether a commit of this member may be stored."""
        return member in self.heard and generation == self.generation

    def tick(self, now: float) -> bool:
        """Remove members whose session has timed out; end a rebalance that all have joined or that took too long."""
        changed = False
        for member, heard in list(self.heard.items()):
            if now >= heard + SESSION_SECONDS and member not in self.joined:
                self.leave(member, now)
                changed = True
        if self.preparing_since is None:
            return changed
        if len(self.joined) < len(self.heard) and now < self.preparing_since + REBALANCE_SECONDS:
            return changed
        self._complete()
        return True

    def wake_at(self) -> float:
        waiting = [heard for member, heard in self.heard.items() if member not in self.joined]
        expiry = min(waiting, default=NEVER) + SESSION_SECONDS
        return expiry if self.preparing_since is None else min(expiry, self.preparing_since + REBALANCE_SECONDS)

    def _complete(self) -> None:
        self.heard = {member: heard for member, heard in self.heard.items() if member in self.joined}
        self.joined.clear()
        self.preparing_since = None
        self.generation += 1
        self.assignment = {member: [] for member in self.heard}
        members = sorted(self.assignment)
        for partition in self.partitions if members else ():
            self.assignment[members[(partition.partition + self.generation) % len(members)]].append(partition)


class Broker:
    """Everything that outlives a worker."""

    def __init__(self, setup: Setup) -> None:
        self.logs = {TopicPartition(TOPIC, number): Log() for number in range(setup.partitions)}
        self.promises = Promises(self.logs, any_order=setup.any_order)
        self.group = Group(partitions=list(self.logs))
        self.commits: list[CommitRequest] = []
        self.stores: list[StoreRequest] = []
        self._setup = setup
        self._written = 0

    def write(self, partition: TopicPartition, *, user: int, kind: int, padding: int) -> str:
        """Write a new record; `kind` 7 cannot be sent, 6 is refused by the destination (where the setup allows it)."""
        log = self.logs[partition]
        name = f"m{self._written}"
        self._written += 1
        if kind == 7 and self._setup.unsendable:
            log.append((None, name.encode(), name.encode().ljust(MAX_RECORD_BYTES + 1))[padding % 3], None)
            return f"{name}, which cannot be sent"
        refused = kind == 6 and self._setup.poisoned
        written = Written(name=name, user=f"u{partition.partition}{user}", refused=refused)
        self.promises.wrote(log.append(_record(written, "x" * padding), written))
        return f"{name} of {written.user}{', which is refused' if refused else ''}"

    def write_again(self, partition: TopicPartition, count: int) -> int:
        """Write the last records again, as a processor does that was killed before its commit."""
        log = self.logs[partition]
        last = log.messages[-count:]
        if any(message.removed for message in last):
            return 0
        for message in last:
            if message.written is not None:
                message.written.copies += 1
            log.append(message.value, message.written)
        return len(last)

    def compact(self, partition: TopicPartition, pick: int) -> int | None:
        """Remove a message, unless it was written twice; return its offset."""
        messages = self.logs[partition].messages
        message = messages[pick % len(messages)] if messages else None
        if message is None or message.removed or (message.written is not None and message.written.copies > 1):
            return None
        message.removed = True
        if message.written is not None:
            message.written.copies = 0
        return message.offset

    def answer(self, request: CommitRequest, *, applies: bool, confirms: bool) -> bool:
        """Answer a commit; return whether it was applied."""
        applied = applies and self._apply(request)
        request.stored = applied and confirms
        request.sender.wake()
        self.commits.remove(request)
        return applied

    def keep(self, request: StoreRequest, *, confirms: bool) -> None:
        """Store dead letters, and confirm them or not."""
        self.promises.store(request.letters)
        request.confirmed = confirms
        request.sender.wake()
        if confirms or request.abandoned:
            self.stores.remove(request)

    def _apply(self, request: CommitRequest) -> bool:
        """Store a commit, if it comes from a member of the present generation."""
        if request.lost or not self.group.knows(request.member, request.generation):
            return False
        self.promises.commit(request.offsets)
        self.group.committed.update(request.offsets)
        return True


def _record(written: Written, padding: str) -> bytes:
    mark = POISON.decode() if written.refused else ""
    return (
        f'{{"type":"track","event":"e","messageId":"{written.name}","userId":"{written.user}","p":"{padding}","properties":'
        f'{{"distinct_id":"{written.user}","$insert_id":"{written.name}","time":1767225600000}}{mark}}}'
    ).encode()
