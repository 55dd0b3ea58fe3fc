"""The size limit of each topic's batches, learnt from batches that were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

logger = structlog.get_logger(__name__)


class BatchLimits:
    """Stores the size limit of each topic's batches. A limit only shrinks, until the process ends.

    The next limit is half the size of the batch that was refused. A broker refuses only batches that are larger than
    `max.message.bytes`, so a limit is never below half of that, whichever messages the refused batches contained. Sizes
    are counted before compression, and a broker measures compressed batches: the real limit is at least as large.
    """

    def __init__(self, most_bytes: int, on_limit: Callable[[str, int], None]) -> None:
        """Start with `most_bytes`. `on_limit` is called at a topic's first batch, and whenever its limit has shrunk."""
        self._most_bytes = most_bytes
        self._on_limit = on_limit
        self._limits: dict[str, int] = {}

    def of(self, topic: str) -> int:
        """Return the most bytes of the next batch for a topic. A batch of one message may be larger."""
        limit_bytes = self._limits.get(topic)
        return self._set(topic, self._most_bytes) if limit_bytes is None else limit_bytes

    def refused(self, topic: str, *, batch_bytes: int, messages: int) -> None:
        """Lower the limit after a batch was refused as too large. A batch of one message cannot shrink and is ignored.

        Only the first time is logged as a warning, for each topic.
        """
        limit_bytes, before = batch_bytes // 2, self.of(topic)
        if messages == 1 or before <= limit_bytes:
            return
        log = logger.warning if before == self._most_bytes else logger.debug
        log(
            "batch too large for the topic, sending smaller batches",
            topic=topic,
            refused_bytes=batch_bytes,
            limit_bytes=limit_bytes,
        )
        self._set(topic, limit_bytes)

    def _set(self, topic: str, limit_bytes: int) -> int:
        self._limits[topic] = limit_bytes
        self._on_limit(topic, limit_bytes)
        return limit_bytes
