from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition

from pipeline.kafka.errors import UnreadableTopicError
from pipeline.state import following
from pipeline.state.following import UNREADABLE_SECONDS, Follower
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import pytest

BROKEN, SOUND = TopicPartition("feed", 0), TopicPartition("feed", 1)


class Log:
    """A consumer of two partitions with ten messages each; of one of them, the fourth cannot be read for a while."""

    def __init__(self, *, repaired_at: float) -> None:
        self.positions: dict[TopicPartition, int] = {}
        self._repaired_at = repaired_at

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        assert partitions
        self.positions = dict.fromkeys(partitions, -1)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        """Return two messages of each, as aiokafka does: those before an error are read and then lost."""
        del max_records
        await asyncio.sleep(timeout_ms / 1000)
        found = {}
        for partition in (SOUND, BROKEN):
            if partition not in self.positions:
                continue
            offset = self.positions[partition]
            if partition == BROKEN and offset + 2 > 4 and asyncio.get_running_loop().time() < self._repaired_at:
                raise UnreadableTopicError(partition, "broken")
            self.positions[partition] = min(10, offset + 2)
            found[partition] = [SimpleNamespace(offset=each) for each in range(offset, min(10, offset + 2))]
        return {partition: records for partition, records in found.items() if records}


def test_a_partition_that_cannot_be_read_keeps_no_other_from_being_followed_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        @asynccontextmanager
        async def open_log(_connection: object) -> AsyncIterator[Log]:
            yield Log(repaired_at=UNREADABLE_SECONDS / 2)

        monkeypatch.setattr(following, "open_consumer", open_log)
        follower = Follower({})
        taken: dict[int, list[int]] = {0: [], 1: []}

        def take(partition: TopicPartition) -> Callable[[Sequence[Any]], None]:
            return lambda records: taken[partition.partition].extend(each.offset for each in records)

        for partition in (BROKEN, SOUND):
            follower.follow(partition.topic, partition.partition, 0, take(partition))
        await asyncio.sleep(UNREADABLE_SECONDS / 2)
        meanwhile = {partition: list(offsets) for partition, offsets in taken.items()}
        await asyncio.sleep(UNREADABLE_SECONDS)
        await follower.close()
        return meanwhile, taken

    every = list(range(10))
    assert run_virtual(story()) == ({0: every[:4], 1: every}, {0: every, 1: every})


def test_a_follower_whose_only_partition_cannot_be_read_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> list[int]:
        @asynccontextmanager
        async def open_log(_connection: object) -> AsyncIterator[Log]:
            yield Log(repaired_at=float("inf"))

        monkeypatch.setattr(following, "open_consumer", open_log)
        follower = Follower({})
        taken: list[int] = []
        follower.follow(
            BROKEN.topic, BROKEN.partition, 0, lambda records: taken.extend(each.offset for each in records)
        )
        await asyncio.sleep(3 * UNREADABLE_SECONDS)
        follower.check()
        follower.leave(*BROKEN)
        await asyncio.sleep(UNREADABLE_SECONDS)
        await follower.close()
        return taken

    assert run_virtual(story()) == list(range(4))
