"""Writers join, leave and are confirmed in any order: shared writes keep the order, and repeat and lose nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pipeline.kafka.producer import OutboundMessage
from pipeline.kafka.records import SharedWrites

if TYPE_CHECKING:
    from collections.abc import Sequence

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.integers(1, 4)),
        st.tuples(st.just("leave"), st.integers(0, 30)),
        st.tuples(st.just("confirm"), st.just(0)),
        st.tuples(st.just("pass"), st.integers(0, 3)),
    ),
    max_size=60,
)


class _Partition:
    """What is written: `begun` whether confirmed or not, `confirmed` once it was."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.confirmed: list[int] = []
        self.most_at_once = 0
        self.open: list[asyncio.Event] = []

    async def write(self, messages: Sequence[OutboundMessage]) -> None:
        numbers = [message.timestamp_ms or 0 for message in messages]
        event = asyncio.Event()
        self.open.append(event)
        self.most_at_once = max(self.most_at_once, len(self.open))
        self.begun += numbers
        try:
            await event.wait()
            self.confirmed += numbers
        finally:
            self.open.remove(event)


class _Game:
    """Writers that join and leave, and a partition that confirms."""

    def __init__(self) -> None:
        self.partition = _Partition()
        self._shared = SharedWrites(self.partition.write)
        self._written = 0
        self.writing: list[tuple[list[int], asyncio.Task[None]]] = []
        self.left: set[asyncio.Task[None]] = set()

    async def step(self, step: str, number: int) -> None:
        match step:
            case "come":
                self._come(number)
            case "leave" if number < len(self.writing):
                self.writing[number][1].cancel()
                self.left.add(self.writing[number][1])
            case "confirm":
                self._confirm()
            case _:
                pass
        for _ in range(number if step == "pass" else 0):
            await asyncio.sleep(0)

    async def end(self) -> None:
        while not all(task.done() for _, task in self.writing):
            self._confirm()
            await asyncio.sleep(0)

    def _come(self, count: int) -> None:
        numbers = list(range(self._written + 1, self._written + 1 + count))
        self._written += count
        messages = [OutboundMessage(key=None, value=None, timestamp_ms=each, headers=[]) for each in numbers]
        self.writing.append((numbers, asyncio.create_task(self._shared.write(messages))))

    def _confirm(self) -> None:
        for event in self.partition.open:
            event.set()


async def _play(steps: Sequence[tuple[str, int]]) -> None:
    game = _Game()
    for step, number in steps:
        await game.step(step, number)
    await game.end()
    assert game.partition.most_at_once <= 1
    for numbers, task in game.writing:
        assert task in game.left or not task.cancelled(), "only the writer's own leaving ends its write"
        assert task.cancelled() or set(numbers) <= set(game.partition.confirmed)
    for each in (game.partition.begun, game.partition.confirmed):
        assert each == sorted(set(each))


@given(STEPS)
def test_shared_writes_keep_the_order_and_lose_nothing(steps: list[tuple[str, int]]) -> None:
    asyncio.run(_play(steps))
