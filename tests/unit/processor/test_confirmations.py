"""How a round waits for the writes of its partitions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pipeline.processor.confirmations import Confirmations
from pipeline.processor.partition_queue import PartitionQueue
from tests.fakes.stream import TOPIC
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Sequence

DEADLINE = 30.0


class Writes:
    """Writes of several partitions that a test confirms."""

    def __init__(self, count: int) -> None:
        self.confirmations = Confirmations()
        self.queues = [PartitionQueue((TOPIC, number)) for number in range(count)]
        self.pending: list[asyncio.Future[Any]] = []
        for queue in self.queues:
            confirmation: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self.pending.append(confirmation)
            self.confirmations.add(confirmation, queue)

    async def next(self) -> tuple[Sequence[int], float]:
        """Return the numbers of the partitions with news, and the time."""
        queues = await self.confirmations.next(DEADLINE)
        return [queue.partition[1] for queue in queues], asyncio.get_running_loop().time()

    def confirm_in(self, seconds: float, *numbers: int) -> None:
        for number in numbers:
            asyncio.get_running_loop().call_later(seconds, self.pending[number].set_result, None)


def test_without_writes_there_is_nothing_to_wait_for() -> None:
    async def story() -> object:
        return await Writes(0).next()

    assert run_virtual(story()) == ([], 0.0)


def test_what_is_confirmed_at_the_same_time_is_returned_together() -> None:
    async def story() -> object:
        writes = Writes(3)
        writes.confirm_in(1.0, 0, 2)
        writes.confirm_in(2.0, 1)
        return [await writes.next() for _ in range(3)]

    assert run_virtual(story()) == [([0, 2], 1.0), ([1], 2.0), ([], 2.0)]


def test_a_write_that_failed_or_was_cancelled_is_news_too() -> None:
    async def story() -> object:
        writes = Writes(2)
        writes.pending[0].set_exception(OSError("refused"))
        writes.pending[1].cancel()
        found = await writes.next()
        assert isinstance(writes.pending[0].exception(), OSError)
        return found

    assert run_virtual(story()) == ([0, 1], 0.0)


def test_at_the_deadline_everything_that_is_left_is_returned_and_once() -> None:
    async def story() -> object:
        writes = Writes(2)
        found = [await writes.next()]
        writes.confirm_in(1.0, 0, 1)
        await asyncio.sleep(2.0)
        return [*found, await writes.next()]

    assert run_virtual(story()) == [([0, 1], DEADLINE), ([], DEADLINE + 2.0)]


def test_an_earlier_deadline_does_not_shorten_a_later_wait() -> None:
    async def story() -> object:
        writes = Writes(2)
        writes.confirm_in(1.0, 0)
        first = [queue.partition[1] for queue in await writes.confirmations.next(5.0)]
        return first, await writes.next()

    assert run_virtual(story()) == ([0], ([1], DEADLINE))
