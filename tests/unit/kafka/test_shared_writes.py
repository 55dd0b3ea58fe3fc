from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import pytest

from pipeline.kafka.producer import OutboundMessage
from pipeline.kafka.records import SharedWrites

if TYPE_CHECKING:
    from collections.abc import Sequence


class HeldWrites:
    """A partition whose writes the test confirms one by one."""

    def __init__(self) -> None:
        self.begun: list[bytes] = []
        self.cancelled: list[bytes] = []
        self.takes_turns_to_end = 0
        self._open: deque[asyncio.Future[None]] = deque()

    async def write(self, messages: Sequence[OutboundMessage]) -> None:
        text = b"".join(message.value or b"" for message in messages)
        self.begun.append(text)
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open.append(confirmed)
        try:
            await confirmed
        except asyncio.CancelledError:
            for _ in range(self.takes_turns_to_end):
                await asyncio.sleep(0)
            self.cancelled.append(text)
            self._open.remove(confirmed)
            raise

    def confirm(self) -> None:
        self._open.popleft().set_result(None)

    def fail(self, error: Exception) -> None:
        self._open.popleft().set_exception(error)


def outbound(text: str) -> list[OutboundMessage]:
    return [OutboundMessage(key=None, value=bytes([each]), timestamp_ms=None, headers=[]) for each in text.encode()]


@pytest.fixture
def held() -> HeldWrites:
    return HeldWrites()


@pytest.fixture
def shared(held: HeldWrites) -> SharedWrites:
    return SharedWrites(held.write)


async def turns() -> None:
    """Run all tasks that are ready."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_at_the_same_time_is_one_write(shared: SharedWrites, held: HeldWrites) -> None:
    writing = [asyncio.create_task(shared.write(outbound(text))) for text in ("ab", "c")]
    await turns()
    assert held.begun == [b"abc"]
    assert not any(each.done() for each in writing)
    held.confirm()
    await asyncio.gather(*writing)


async def test_what_comes_while_a_write_is_under_way_is_the_next_one(shared: SharedWrites, held: HeldWrites) -> None:
    writing = []
    for text in ("a", "b", "c"):
        writing.append(asyncio.create_task(shared.write(outbound(text))))
        await turns()
    assert held.begun == [b"a"]
    held.confirm()
    await turns()
    assert held.begun == [b"a", b"bc"]
    assert [each.done() for each in writing] == [True, False, False]
    held.confirm()
    await asyncio.gather(*writing)


async def test_what_nobody_waits_for_any_more_is_not_written(shared: SharedWrites, held: HeldWrites) -> None:
    writing = []
    for text in ("a", "b", "c"):
        writing.append(asyncio.create_task(shared.write(outbound(text))))
        await turns()
    writing[1].cancel()
    await turns()
    assert writing[1].cancelled()
    held.confirm()
    await turns()
    assert held.begun == [b"a", b"c"]
    held.confirm()
    await writing[2]


async def test_a_write_ends_with_the_last_that_waits_for_it(shared: SharedWrites, held: HeldWrites) -> None:
    writing = [asyncio.create_task(shared.write(outbound(text))) for text in ("a", "b")]
    await turns()
    writing[0].cancel()
    await turns()
    assert (writing[0].cancelled(), held.cancelled) == (True, [])
    writing[1].cancel()
    await asyncio.wait(writing)
    assert held.cancelled == [b"ab"]
    later = asyncio.create_task(shared.write(outbound("c")))
    await turns()
    assert held.begun[-1] == b"c"
    held.confirm()
    await later


async def test_a_group_that_is_left_before_its_turn_leaves_the_way_free(shared: SharedWrites, held: HeldWrites) -> None:
    first = asyncio.create_task(shared.write(outbound("a")))
    await turns()
    given_up = asyncio.create_task(shared.write(outbound("b")))
    await turns()
    given_up.cancel()
    await asyncio.wait({given_up})
    last = asyncio.create_task(shared.write(outbound("c")))
    await turns()
    held.confirm()
    await turns()
    held.confirm()
    await asyncio.gather(first, last)
    assert held.begun == [b"a", b"c"]


async def test_who_comes_just_when_the_last_of_a_group_leaves_is_written(
    shared: SharedWrites, held: HeldWrites
) -> None:
    first = asyncio.create_task(shared.write(outbound("a")))
    await turns()
    given_up = asyncio.create_task(shared.write(outbound("b")))
    await turns()
    given_up.cancel()
    later = asyncio.create_task(shared.write(outbound("c")))
    await turns()
    held.confirm()
    await turns()
    held.confirm()
    await asyncio.gather(first, later)
    assert held.begun == [b"a", b"c"]


async def test_who_leaves_last_waits_for_the_end_of_its_write(shared: SharedWrites, held: HeldWrites) -> None:
    held.takes_turns_to_end = 5
    writing = asyncio.create_task(shared.write(outbound("a")))
    await turns()
    writing.cancel()
    await asyncio.wait({writing})
    assert held.cancelled == [b"a"]


async def test_a_fault_of_a_write_reaches_all_that_wait_for_it(shared: SharedWrites, held: HeldWrites) -> None:
    writing = [asyncio.create_task(shared.write(outbound(text))) for text in ("a", "b")]
    await turns()
    held.fail(OSError("disk"))
    found = await asyncio.gather(*writing, return_exceptions=True)
    assert [str(each) for each in found] == ["disk", "disk"]
