"""The parts of a Kafka message that the pipeline reads, and the message batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Partition: TypeAlias = tuple[str, int]
"""A topic and the number of one of its partitions."""


class Message(Protocol):
    """One Kafka message, such as aiokafka's ``ConsumerRecord``.

    ``headers`` may contain only those that the program reads: a worker keeps the format version of what it fetches.
    ``timestamp`` is Kafka's, in milliseconds since the epoch; ``-1`` when the topic has none.
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class MessageBatch(Protocol):
    """The messages of one partition that one fetch returned, in offset order, never empty."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def messages(self) -> Sequence[Message]: ...

    def acknowledge(self) -> None:
        """Mark every message of the batch as settled, so that its offset may be committed.

        Idempotent. Does nothing once the partition was revoked, even if it was assigned again since.
        """
