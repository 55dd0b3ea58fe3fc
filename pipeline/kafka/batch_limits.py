"""Remember how large a batch each topic takes, learnt from the batches that were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

logger = structlog.get_logger(__name__)


class BatchLimits:
    """Keep the size limit of each topic; it only shrinks, until the process ends.

    The next limit is half of a batch that was refused. A broker refuses what is larger than `max.message.bytes` and
    nothing else, so a limit is never below half of that, whichever messages the refused batches held. Sizes are counted
    before compression, and a broker measures compressed batches: the real limit is at least as large.
    """

    def __init__(self, most_bytes: int, on_limit: Callable[[str, int], None]) -> None:
        """Begin with `most_bytes`. `on_limit` is called at a topic's first batch, and when its limit has shrunk."""
        self._most_bytes = most_bytes
        self._on_limit = on_limit
        self._limits: dict[str, int] = {}

    def of(self, topic: str) -> int:
        """Return the bytes that the next batch for a topic may have, unless it is of one message."""
        limit_bytes = self._limits.get(topic)
        return self._set(topic, self._most_bytes) if limit_bytes is None else limit_bytes

    def refused(self, topic: str, *, batch_bytes: int, messages: int) -> None:
        """Learn from a batch that was refused as too large; one of a single message cannot be smaller, and is ignored.

        A topic's first lesson is a warning, the only one.
        """
        limit_bytes, before = batch_bytes // 2, self.of(topic)
        if messages == 1 or before <= limit_bytes:
            return
        tell = logger.warning if before == self._most_bytes else logger.debug
        tell(
            "Kafka refused a batch as too large for the topic; its batches are smaller from now on",
            topic=topic,
            refused_bytes=batch_bytes,
            limit_bytes=limit_bytes,
        )
        self._set(topic, limit_bytes)

    def _set(self, topic: str, limit_bytes: int) -> int:
        self._limits[topic] = limit_bytes
        self._on_limit(topic, limit_bytes)
        return limit_bytes
