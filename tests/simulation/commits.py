"""The commits of one worker: one after the other, each bounded, and one that is late goes on without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.simulation.broker import NEVER, CommitRequest

if TYPE_CHECKING:
    from pipeline.stream.ledger import Commit
    from tests.simulation.worker import Worker

COMMIT_SPACING_SECONDS: Final = 0.05
COMMIT_INTERVAL_SECONDS: Final = 1.0
COMMIT_TIMEOUT_SECONDS: Final = 10.0


class Commits:
    """What `BatchConsumer.commit` and `ConsumerThread.store` do, restated."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._world = worker.world
        self._ledger = worker.ledger
        self._commit: Commit | None = None
        self._request: CommitRequest | None = None
        self._deadline = NEVER
        self._straggler: CommitRequest | None = None
        self._next_at = 0.0
        self._last_asked = False

    def wake_at(self) -> float:
        """Say when something is due by itself."""
        if self._request is not None:
            return self._deadline
        return self._next_at if self._straggler is None and self._ledger.committable().offsets else NEVER

    def go_on(self) -> bool:
        """Commit what is settled; tell whether anything happened."""
        if self._request is not None:
            return self._look_at_answer(self._request)
        if self._straggler is not None and self._straggler.stored is not None:
            self._straggler = None
        if self._world.now < self._next_at or self._straggler is not None:
            return False
        return self._ask()

    def prepare_last(self) -> None:
        """Begin with the last commit of an assignment."""
        self._last_asked = False

    def last_has_ended(self) -> bool:
        """Ask for the last commit as soon as none is under way; tell whether it was answered."""
        if self._request is not None or (self._straggler is not None and self._straggler.stored is None):
            return False
        if self._last_asked:
            return True
        self._last_asked = True
        return not self._ask()

    def stop_waiting(self) -> None:
        """Leave the commit under way to itself; the next waits for its end."""
        if self._request is not None:
            self._straggler, self._request = self._request, None

    def _ask(self) -> bool:
        commit = self._ledger.committable()
        if not commit.offsets:
            return False
        world, worker = self._world, self._worker
        world.broker.promises.commit(commit.offsets)
        self._commit = commit
        self._request = CommitRequest(
            sender=worker,
            member=worker.member,
            generation=worker.generation,
            offsets=dict(commit.offsets),
            lost=not worker.reachable,
        )
        world.broker.commits.append(self._request)
        self._deadline = world.now + COMMIT_TIMEOUT_SECONDS
        self._next_at = world.now + COMMIT_SPACING_SECONDS
        if world.telling:
            offsets = ", ".join(f"p{place.partition} to {offset}" for place, offset in commit.offsets.items())
            world.tell("%s: commits %s", worker.name, offsets)
        return True

    def _look_at_answer(self, request: CommitRequest) -> bool:
        if request.stored is None and self._world.now < self._deadline:
            return False
        if request.stored and self._commit is not None:
            self._ledger.stored(self._commit)
        else:
            self._next_at = self._world.now + COMMIT_INTERVAL_SECONDS
        if request.stored is None:
            self._straggler = request
        self._request = None
        return True
