"""What the pipeline reads of a Kafka message, and how a run of them travels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Partition: TypeAlias = tuple[str, int]
"""A topic and the number of one of its partitions."""


class Message(Protocol):
    """One Kafka message. aiokafka's ``ConsumerRecord`` satisfies it as it is.

    ``headers`` may be those alone that the program reads: a worker keeps the format version of what it fetches.
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
        """Say that every message of the batch is settled: its offset may be committed.

        Idempotent. After the partition was given up it does nothing, even when the same
        partition has come back since.
        """
