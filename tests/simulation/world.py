"""The world: one clock, one broker, one destination, some workers. It carries out decisions step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.simulation.broker import Broker
from tests.simulation.destination import OK, Destination, api_of
from tests.simulation.promises import BrokenPromiseError, Promise
from tests.simulation.worker import Worker

if TYPE_CHECKING:
    from tests.simulation.parts import Parts
    from tests.simulation.scenario import Setup

PROGRESS_SECONDS: Final = 240.0
"""How long it may take, after every fault has ended, until everything is settled and committed."""
_MAX_ROUNDS: Final = 5_000


class World:
    """All parts of a scenario, and the time."""

    def __init__(self, setup: Setup, parts: Parts, steps: list[str] | None = None) -> None:
        self.setup = setup
        self.parts = parts
        self.now = 0.0
        self.broker = Broker(setup)
        self.api = api_of(setup)
        self.destination = Destination(setup, self.broker.promises)
        self.workers: list[Worker] = []
        self.telling = steps is not None
        self._steps = steps
        self._born = 0
        for _ in range(setup.workers):
            self.begin_worker()
        self.react()

    def tell(self, text: str, *values: object) -> None:
        """Append a step to the description, if one is wanted."""
        if self._steps is not None:
            self._steps.append(f"{self.now:8.2f}  {text % values}")

    def check(self) -> None:
        for worker in self.workers:
            if worker.moved:
                worker.check()

    def react(self) -> None:
        """Let every worker do what it can do at this time."""
        group = self.broker.group
        while True:
            for worker in self.workers:
                if worker.running and worker.reachable and worker.member in group.heard:
                    group.heard[worker.member] = self.now
                if worker.awake or worker.wake_at <= self.now:
                    worker.run()
            if not group.tick(self.now):
                break
            self.wake_all()
            self.tell("the group: generation %d, %s", group.generation, _members(self))
        self.workers = [worker for worker in self.workers if worker.alive]

    def advance(self, seconds: float) -> None:
        """Advance the time, and do everything that becomes due."""
        target = self.now + seconds
        while True:
            self.react()
            due = self._next_due()
            if due > target:
                break
            if due <= self.now:
                raise BrokenPromiseError(Promise.PROGRESS, "something is due at a time that is over")
            self.now = due
        self.now = target
        self.react()

    def end_faults(self) -> None:
        """End all faults, and check that everything is settled and committed in time."""
        self.tell("all faults end")
        for worker in self.workers:
            worker.heal()
        deadline = self.now + PROGRESS_SECONDS
        for _ in range(_MAX_ROUNDS):
            moved = self._go_on()
            self.check()
            if self._finished():
                return
            if not moved:
                self.now = max(self.now, self._next_due())
            if self.now > deadline:
                break
        raise BrokenPromiseError(Promise.PROGRESS, self._unfinished())

    # ---- the end of faults

    def _go_on(self) -> bool:
        moved = False
        while len(self.workers) < self.setup.workers:
            self.begin_worker()
        for request in list(self.destination.requests):
            moved |= self.destination.answer(request, OK).response is not None
        for store in list(self.broker.stores):
            self.broker.keep(store, confirms=True)
            moved = True
        for commit in list(self.broker.commits):
            self.broker.answer(commit, applies=True, confirms=True)
            moved = True
        for worker in self.workers:
            worker.fetch(7)
        self.react()
        lacking = len(self.workers) < self.setup.workers
        return moved or lacking or bool(self.destination.requests or self.broker.stores or self.broker.commits)

    def _finished(self) -> bool:
        committed = self.broker.group.committed
        return all(committed.get(partition) == log.end for partition, log in self.broker.logs.items()) and all(
            worker.idle() for worker in self.workers
        )

    def _unfinished(self) -> str:
        committed = self.broker.group.committed
        return ", ".join(
            f"p{at.partition} is settled to {log.settled_to()} and committed to {committed.get(at)} of {log.end}"
            for at, log in self.broker.logs.items()
        )

    # ---- pieces

    def begin_worker(self) -> None:
        self.workers.append(Worker(self._born, self))
        self.tell("w%d starts", self._born)
        self._born += 1

    def wake_all(self) -> None:
        for worker in self.workers:
            worker.wake()

    def _next_due(self) -> float:
        due = self.broker.group.wake_at()
        for worker in self.workers:
            if worker.running:
                due = min(due, worker.wake_at)
        return due


def _members(world: World) -> str:
    return ", ".join(f"{worker.name} ({worker.stage})" for worker in world.workers)
