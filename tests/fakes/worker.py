"""Stand-ins for the Faust app that a worker runs, and for its consumer."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

from pipeline.stream.lag import Waiting
from pipeline.stream.ledger import Ledger, Position
from tests.fakes.stream import BOUND_SECONDS, place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pipeline.stream.health import Undone
    from pipeline.stream.needs import Place


class FakeConsumer:
    """A `BatchConsumer` whose commits are confirmed at once."""

    def __init__(self, effects: list[str]) -> None:
        self._effects = effects
        self.ledger = Ledger(on_settled=lambda: None)
        self.ledger.assign({place(): Position(offset=0, committed=True)})
        self.settles_while_committing: list[Callable[[], None]] = []
        self.undone_now: dict[tuple[str, int], Undone] = {}
        self.known_partitions = 1
        self.asked_about: list[list[Place]] = []
        self.away: set[Place] = set()

    def stop_flow(self) -> None:
        self._effects.append("stopped the flow")

    def waiting(self) -> list[Waiting]:
        return [Waiting(number, undone.messages, None) for (_, number), undone in self.undone_now.items()]

    def full_partitions(self) -> int:
        return 1

    def undone(self) -> dict[tuple[str, int], Undone]:
        return self.undone_now

    def is_known(self, place: tuple[str, int]) -> bool:
        return place[1] < self.known_partitions

    async def without_answer(self, places: Collection[Place], timeout_seconds: float) -> Collection[Place]:
        del timeout_seconds
        self.asked_about.append(sorted(places))
        return self.away & {*places}

    async def commit(self) -> bool:
        commit = self.ledger.committable()
        if not commit.offsets:
            return False
        await asyncio.sleep(0)
        self.ledger.stored(commit)
        self._effects.append(f"committed {list(commit.offsets.values())}")
        if self.settles_while_committing:
            self.settles_while_committing.pop()()
        return True


class FakeApp:
    """An app (`pipeline.stream.app.App`) that starts and goes on until it is stopped."""

    def __init__(self, effects: list[str]) -> None:
        self._effects = effects
        self.batch_consumer = FakeConsumer(effects)
        self.flow_control = SimpleNamespace(
            suspend=lambda: effects.append("suspended"), clear=lambda: effects.append("cleared")
        )
        self.rebalancing = False
        self.crashed = False
        self.should_stop = False
        self.crash_reason: Exception | None = None
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.slept: list[float] = []
        self._asleep = asyncio.Event()
        self._looks: asyncio.Queue[None] = asyncio.Queue()

    async def start(self) -> None:
        await self.may_start.wait()

    async def sleep(self, seconds: float) -> None:
        """Sleep until the test has the worker look again."""
        self.slept.append(seconds)
        self._asleep.set()
        await self._looks.get()

    def wake(self) -> None:
        """Let the worker look at its progress."""
        self._asleep.clear()
        self._looks.put_nowait(None)

    async def look(self) -> None:
        """Let the worker look at its progress, and wait until it has."""
        self.wake()
        await asyncio.wait_for(self._asleep.wait(), BOUND_SECONDS)

    async def stop(self) -> None:
        self._effects.append("left")
