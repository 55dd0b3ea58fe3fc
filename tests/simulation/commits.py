"""The commits of one worker: one at a time, each with a timeout, and the next one does not wait for a late one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.stream.commits import COMMIT_TIMEOUT_SECONDS
from pipeline.stream.transport import COMMIT_SPACING_SECONDS
from tests.simulation.broker import NEVER, CommitRequest

if TYPE_CHECKING:
    from pipeline.stream.ledger import Commit
    from tests.simulation.worker import Worker

COMMIT_INTERVAL_SECONDS: Final = 1.0


class Commits:
    """Reimplements `BatchConsumer._commit_what_is_settled`, its `commit` and `Fetching.store`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._world = worker.world
        self._ledger = worker.ledger
        self._settled = False
        self._due_at = NEVER
        self._repeat_at = NEVER
        self._next_at = 0.0
        self._commit: Commit | None = None
        self._request: CommitRequest | None = None
        self._deadline = NEVER
        self._straggler: CommitRequest | None = None
        self._last_asked = False

    def settled(self) -> None:
        """Called by the ledger when an offset becomes committable."""
        self._settled = True

    def wake_at(self) -> float:
        """Return when something is due without an event."""
        return self._deadline if self._commit is not None else min(self._due_at, self._repeat_at)

    def go_on(self) -> bool:
        """Commit what is settled; return whether anything happened.

        When nothing is unsettled: at once, but not before the spacing since the last commit. Otherwise after the
        spacing.
        """
        now = self._world.now
        if self._commit is not None:
            return self._go_on_storing(self._commit)
        if now >= self._repeat_at:
            self._repeat_at, self._settled = NEVER, True
        if self._due_at == NEVER and self._settled:
            self._due_at = now + COMMIT_SPACING_SECONDS if self._ledger.messages_in_hand() else max(now, self._next_at)
        if now < self._due_at:
            return False
        self._due_at, self._settled = NEVER, False
        if not self._ask():
            self._next_at = now + COMMIT_SPACING_SECONDS
        return True

    def prepare_last(self) -> None:
        """Start the last commit of an assignment."""
        self._last_asked = False

    def last_has_ended(self) -> bool:
        """Send the last commit as soon as none is under way; return whether it was answered."""
        if self._commit is not None:
            return False
        if self._last_asked:
            return True
        self._last_asked = True
        return not self._ask()

    def abandon(self) -> None:
        """Abandon the commit that is under way; the next one belongs to another generation and does not wait for it."""
        self._straggler = None
        if self._commit is not None:
            self._end(stored=False)

    def _ask(self) -> bool:
        commit = self._ledger.committable()
        if not commit.offsets:
            return False
        self._world.broker.promises.commit(commit.offsets)
        self._commit = commit
        self._deadline = self._world.now + COMMIT_TIMEOUT_SECONDS
        self._go_on_storing(commit)
        return True

    def _go_on_storing(self, commit: Commit) -> bool:
        """Send a commit when the one before has an answer, and read its answer; one that waits too long has failed."""
        if self._request is not None:
            return self._look_at_answer(self._request)
        if self._straggler is None or self._straggler.stored is not None:
            self._straggler = None
            self._send(commit)
            return True
        if self._world.now < self._deadline:
            return False
        self._world.tell("%s: a commit timed out waiting for the one before", self._worker.name)
        self._end(stored=False)
        return True

    def _send(self, commit: Commit) -> None:
        world, worker = self._world, self._worker
        self._request = CommitRequest(
            sender=worker,
            member=worker.member,
            generation=worker.generation,
            offsets=dict(commit.offsets),
            lost=not worker.reachable,
        )
        world.broker.commits.append(self._request)
        self._deadline = world.now + COMMIT_TIMEOUT_SECONDS
        if world.telling:
            offsets = ", ".join(f"p{partition.partition} to {offset}" for partition, offset in commit.offsets.items())
            world.tell("%s: commits %s", worker.name, offsets)

    def _look_at_answer(self, request: CommitRequest) -> bool:
        if request.stored is None and self._world.now < self._deadline:
            return False
        if request.stored is None:
            self._straggler = request
        self._end(stored=bool(request.stored))
        return True

    def _end(self, *, stored: bool) -> None:
        now = self._world.now
        if stored and self._commit is not None:
            self._ledger.stored(self._commit)
        else:
            self._repeat_at = min(self._repeat_at, now + COMMIT_INTERVAL_SECONDS)
        self._request = self._commit = None
        self._next_at = now + COMMIT_SPACING_SECONDS
