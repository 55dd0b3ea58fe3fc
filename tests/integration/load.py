"""Clicks of random users, written by a client other than the pipeline's own, and their order for each user."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from tests.integration.clients import RawMessage, produce
from tests.integration.test_kill import click

if TYPE_CHECKING:
    from tests.integration.pipeline_processes import Pipeline

EVENTS_A_CHUNK = 500
USERS = 60
_SEED = 20260102


class Load:
    """Writes chunks of events to a pipeline's raw topic; `written` contains the message ids of each user in order."""

    def __init__(self, pipeline: Pipeline, **configuration: str | float) -> None:
        """Write to a pipeline; `configuration` is that of the writing client, with ``_`` for ``.``."""
        self.events = 0
        self.written: dict[str, list[str]] = {}
        self._pipeline = pipeline
        self._configuration = configuration
        self._chance = random.Random(_SEED)

    async def write_chunk(self) -> None:
        """Write a chunk. Returning means that the broker has confirmed it."""
        users = [f"u-{self._chance.randrange(USERS)}" for _ in range(EVENTS_A_CHUNK)]
        messages = [click(number, user) for number, user in enumerate(users, self.events)]
        for number, user in enumerate(users, self.events):
            self.written.setdefault(user, []).append(f"{number:08d}-0000-4000-8000-000000000000")
        await asyncio.to_thread(self._produce, messages)
        self.events += EVENTS_A_CHUNK

    async def write_until(self, enough: asyncio.Event, *, ahead: int) -> None:
        """Write chunks until `enough` is set, at most ``ahead`` events plus one chunk ahead of Segment."""
        while not enough.is_set():
            await self._pipeline.accepted(self.events - ahead)
            await self.write_chunk()

    def accepted(self) -> dict[str, list[str]]:
        """Return the message ids of each user that Segment accepted, in the order of first acceptance."""
        accepted: dict[str, list[str]] = {}
        for message_id, user in self._pipeline.segment.ledger.accepted.items():
            accepted.setdefault(user, []).append(message_id)
        return accepted

    def duplicates(self) -> int:
        """Return the number of duplicate records that Segment received."""
        return self._pipeline.segment.ledger.summary().discarded["duplicate"]

    def _produce(self, messages: list[RawMessage]) -> None:
        servers = self._pipeline.broker.bootstrap_servers
        produce(servers, self._pipeline.raw_topic, messages, **self._configuration)
