"""Detect early that brokers refuse new connections: connections that are open keep working for hours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from pipeline.kafka.knocking import Refused, knock

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.kafka.connection import ConnectionOptions

logger = structlog.get_logger(__name__)

KNOCK_SECONDS: Final = 5.0


class ConnectionWatch:
    """Knows which brokers refuse new connections permanently, because of a certificate or a password.

    Each check connects to the next broker in turn; to all of them while one refuses, or none answers.
    """

    def __init__(self, connection: ConnectionOptions) -> None:
        self._connection = connection
        self._turn = 0
        self._refusals: dict[str, Refused] = {}

    @property
    def complaint(self) -> str | None:
        """Why brokers refuse and what to check, as one sentence; None if no broker refuses permanently."""
        texts = [refused.text.removesuffix(".") for refused in self._refusals.values()]
        return "; ".join(texts) or None

    @property
    def holds(self) -> frozenset[HoldReason]:
        """The causes of the complaint, for metrics."""
        return frozenset(refused.hold for refused in self._refusals.values() if refused.hold is not None)

    async def look(self, brokers: Collection[str], *, silent: bool) -> None:
        """Connect to brokers, given as `host:port`, and to those that the settings name. Each change is logged once.

        A broker that left the cluster is forgotten. An empty `brokers` means that the present brokers are unknown.
        """
        servers = list(dict.fromkeys([*self._connection["bootstrap_servers"].split(","), *brokers]))
        if brokers:
            self._refusals = {server: self._refusals[server] for server in servers if server in self._refusals}
        if not self._refusals and not silent:
            self._turn += 1
            servers = [servers[self._turn % len(servers)]]
        answers = await asyncio.gather(
            *(knock(server, self._connection, timeout_seconds=KNOCK_SECONDS) for server in servers)
        )
        for server, answer in zip(servers, answers, strict=True):
            self._store(server, answer)

    def _store(self, server: str, answer: Refused | None) -> None:
        known = self._refusals.get(server)
        if answer is None:
            if self._refusals.pop(server, None) is not None:
                logger.info("broker accepts connections again", broker=server)
        elif answer.hold is not None:
            if answer != known:
                logger.error("broker refuses connections", reason=answer.text)
            self._refusals[server] = answer
