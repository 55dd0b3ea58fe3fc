"""A plain aiokafka group member, which is assigned partitions and does not read them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

if TYPE_CHECKING:
    from types import TracebackType

_JOIN_SECONDS = 15
_LEAVE_SECONDS = 5


class Passerby:
    """Joins a group for the duration of a block. It commits nothing."""

    def __init__(self, bootstrap_servers: str, group: str, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=bootstrap_servers,
            group_id=group,
            enable_auto_commit=False,
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            session_timeout_ms=6_000,
            auto_offset_reset="earliest",
        )

    async def __aenter__(self) -> Self:
        with suppress(TimeoutError):  # a rebalance that does not complete is a disruption as well
            async with asyncio.timeout(_JOIN_SECONDS):
                await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._consumer.stop()
