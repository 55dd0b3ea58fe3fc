"""A Kafka client that produces record batches as they are, and changes what a broker of ours has stored."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Self

from aiokafka.errors import KafkaError, for_code

from tests.hostile.batches import LAST_OFFSET_DELTA_AT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

_PRODUCE: Final = 0
_VERSION: Final = 7  # the first that accepts zstd, with the same layout as those before
_ALL_REPLICAS: Final = -1
_ANSWER_MILLISECONDS: Final = 60_000
_SECONDS: Final = 90
_LEADER_SECONDS: Final = 20
_AGAIN_SECONDS: Final = 0.05
_BATCH_HEAD: Final = struct.Struct(">qi")


class RefusedBatchError(Exception):
    """The broker has not accepted a batch; the text has its error code."""


class BatchWriter(AbstractContextManager["BatchWriter"]):
    """A connection to the one broker of a cluster, over which batches are produced one after another."""

    def __init__(self, bootstrap_server: str) -> None:
        host, _, port = bootstrap_server.rpartition(":")
        self._connection = socket.create_connection((host, int(port)), timeout=_SECONDS)
        self._requests = 0

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._connection.close()

    def write(self, topic: str, partition: int, batch: bytes) -> int:
        """Store a batch; return the offset of its first message.

        Raises:
            RefusedBatchError: the broker does not accept it.
        """
        deadline = time.monotonic() + _LEADER_SECONDS
        while True:
            try:
                return self._write(topic, partition, batch)
            except KafkaError as error:
                if not error.retriable or time.monotonic() > deadline:
                    raise RefusedBatchError(str(error)) from error
                time.sleep(_AGAIN_SECONDS)  # a topic is visible before its partitions have leaders

    def _write(self, topic: str, partition: int, batch: bytes) -> int:
        self._requests += 1
        body = b"".join(
            (
                struct.pack(">hhi", _PRODUCE, _VERSION, self._requests),
                _text("hostile"),
                _text(None),
                struct.pack(">hii", _ALL_REPLICAS, _ANSWER_MILLISECONDS, 1),
                _text(topic),
                struct.pack(">iii", 1, partition, len(batch)),
                batch,
            )
        )
        self._connection.sendall(struct.pack(">i", len(body)) + body)
        return self._answered(topic)

    def _answered(self, topic: str) -> int:
        (length,) = struct.unpack(">i", self._read(4))
        answer = self._read(length)
        position = 4 + 4 + 2 + len(topic.encode()) + 4 + 4  # correlation, topics, topic, partitions, partition
        code, offset = struct.unpack_from(">hq", answer, position)
        if code:
            raise for_code(code)(f"error code {code}")
        return int(offset)

    def _read(self, length: int) -> bytes:
        found = bytearray()
        while len(found) < length:
            part = self._connection.recv(length - len(found))
            if not part:
                raise RefusedBatchError("the broker has closed the connection")
            found += part
        return bytes(found)


def change_stored_batch(folder: Path, topic: str, partition: int, offset: int, change: Callable[[bytes], bytes]) -> int:
    """Change a batch in the log segment of a broker on this machine, as a broken disk would; return the next offset.

    `folder` is the broker's ``log.dirs``. A changed batch must be as long as before. The broker sends what is on disk
    and looks at no more than a batch's offset and length.

    Raises:
        LookupError: the partition has no batch that begins at that offset.
        ValueError: the changed batch is longer or shorter.
    """
    for segment in sorted((folder / f"{topic}-{partition}").glob("*.log")):
        stored = segment.read_bytes()
        position = 0
        while position < len(stored):
            base, length = _BATCH_HEAD.unpack_from(stored, position)
            end = position + _BATCH_HEAD.size + length
            if base == offset:
                batch = stored[position:end]
                _overwrite(segment, position, batch, change(batch))
                (last,) = struct.unpack_from(">i", batch, LAST_OFFSET_DELTA_AT)
                return int(base + last + 1)
            position = end
    raise LookupError(f"no batch of {topic}-{partition} begins at {offset}")


def _overwrite(segment: Path, position: int, before: bytes, after: bytes) -> None:
    if len(before) != len(after):
        raise ValueError(f"a stored batch of {len(before)} bytes cannot become one of {len(after)}")
    with segment.open("r+b") as log:
        log.seek(position)
        log.write(after)


def _text(text: str | None) -> bytes:
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text.encode())) + text.encode()
