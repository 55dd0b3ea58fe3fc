"""Store offsets in Kafka, only in the generation of the group whose positions they continue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiokafka
import structlog
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from pipeline.stream.ledger import TopicPartition

logger = structlog.get_logger(__name__)

COMMIT_TIMEOUT_SECONDS = 10.0


class Commits:
    """The part of `pipeline.stream.fetching.Fetching` that commits. One commit runs at a time."""

    commits_wait: bool = False
    """Whether the coordinator did not accept the last commit, although it was sent in the right generation."""
    _generation: int = -1
    _storing: asyncio.Future[None] | None = None
    transport: Any
    _ensure_consumer: Any

    async def store(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Commit offsets; return whether the broker has confirmed all of them.

        Raises:
            KafkaError: the broker refuses for good, for example because the user is not authorized.
        """
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        if not all(partition in assigned for partition in offsets):
            return False
        source = self.transport.options.source
        note = source.commit_note if source is not None else ""
        commit = {aiokafka.TopicPartition(*partition): (offset, note) for partition, offset in offsets.items()}
        try:
            await self._bounded(consumer.commit(commit))
        except ConsumerStoppedError:
            return False
        except (CommitFailedError, IllegalStateError, TimeoutError) as error:
            logger.warning("commit not stored; its messages stay uncommitted", error=type(error).__name__)
            self.commits_wait = isinstance(error, TimeoutError)
            return False
        except KafkaError as error:
            if not error.retriable:
                raise
            logger.warning("commit not stored, retrying", error=type(error).__name__)
            self.commits_wait = True
            return False
        self.commits_wait = False
        return True

    def abandon_commit(self) -> None:
        """Stop retrying the commit of revoked partitions: aiokafka would repeat it in the next generation.

        By then another worker may have committed more of them. A request that was already sent carries the previous
        generation, and is refused.
        """
        storing = self._storing
        if storing is not None:
            storing.cancel()

    def _keep_commits_in_their_generation(self, coordinator: Any) -> None:
        """Refuse every commit from another generation than the one that the positions belong to.

        After eviction aiokafka's generation is -1, and an empty group accepts a commit without a generation. A worker
        that was frozen could rewind its successor.
        """
        send = coordinator._do_commit_offsets  # noqa: SLF001

        async def send_in_generation(assignment: Any, offsets: Any) -> None:
            if coordinator.generation != self._generation or coordinator.generation < 0:
                raise IllegalGenerationError
            await send(assignment, offsets)

        coordinator._do_commit_offsets = send_in_generation  # noqa: SLF001

    async def _bounded(self, storing: Coroutine[Any, Any, None]) -> None:
        """Wait for a commit within the timeout. One that takes longer goes on, and the next commit waits for it first.

        Cancelling it would leave aiokafka's own request behind, with nobody to wait for it.
        """
        try:
            ready = await self._storing_ended()
        except asyncio.CancelledError:
            storing.close()
            raise
        if not ready:
            storing.close()
            raise TimeoutError
        task = self._storing = asyncio.ensure_future(storing)
        if not await self._storing_ended():
            raise TimeoutError
        if task.cancelled():
            raise TimeoutError
        task.result()

    async def _storing_ended(self) -> bool:
        if self._storing is not None:
            done, _ = await asyncio.wait({self._storing}, timeout=COMMIT_TIMEOUT_SECONDS)
            if not done:
                return False
            if not self._storing.cancelled():
                self._storing.exception()  # retrieved here, because nobody may wait for it any more
            self._storing = None
        return True
