"""Record batches as a broker sends them, byte by byte, so that any part of them can be wrong."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, Any, Final

import cramjam
from aiokafka.codec import lz4_encode, snappy_encode
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c, encode_varint

from pipeline.kafka.fetched.unpacking import Codec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.kafka.fetched.reading import Answers

FIRST_TIMESTAMP: Final = 1_700_000_000_000
Header = tuple[bytes, bytes | None]
PACK: Final[dict[Codec, Callable[[bytes], bytes]]] = {
    Codec.NONE: bytes,
    Codec.GZIP: gzip.compress,
    Codec.SNAPPY: lambda data: bytes(snappy_encode(data)),
    Codec.LZ4: lambda data: bytes(lz4_encode(data)),
    Codec.ZSTD: lambda data: bytes(cramjam.zstd.compress(data)),
}


def number(value: int) -> bytes:
    """Return a number of variable length."""
    found = bytearray()
    encode_varint(value, found.append)
    return bytes(found)


def text(value: bytes | None) -> bytes:
    """Return bytes with their length in front."""
    return number(-1) if value is None else number(len(value)) + value


def record(index: int, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()) -> bytes:
    """Return one record of a batch; `index` is its offset there and its timestamp."""
    body = b"\x00" + number(index) + number(index) + text(key) + text(value) + number(len(headers))
    body += b"".join(text(name) + text(content) for name, content in headers)
    return number(len(body)) + body


def batch(
    *records: bytes,
    base: int = 0,
    codec: int = Codec.NONE,
    packed: bytes | None = None,
    count: int | None = None,
    crc: int | None = None,
    magic: int = 2,
    last: int | None = None,
    timestamp: int = FIRST_TIMESTAMP,
) -> bytes:
    """Return a batch. All other arguments are written as they are, even if they are wrong."""
    body = b"".join(records)
    content = (PACK[Codec(codec)](body) if codec in PACK else body) if packed is None else packed
    many = len(records)
    last = many - 1 if last is None else last
    checked = struct.pack(
        ">hiqqqhii", codec, last, timestamp, timestamp + max(0, last), -1, -1, -1, many if count is None else count
    )
    checked += content
    head = struct.pack(">ibI", 0, magic, calc_crc32c(checked) if crc is None else crc)
    return struct.pack(">qi", base, len(head + checked)) + head + checked


def messages(count: int, *, base: int = 0, codec: int = Codec.NONE) -> bytes:
    """Return a batch of small messages."""
    return batch(*(record(each, b"u-1", b"{}") for each in range(count)), base=base, codec=codec)


class FakeAssignment:
    """An assignment in which every partition is read from one position."""

    active = True
    paused = False

    def __init__(self, position: int = 0) -> None:
        self.position = position

    def state_value(self, _partition: object) -> FakeAssignment:
        """Return the only state."""
        return self

    def consumed_to(self, position: int) -> None:
        """Called with the next position."""
        self.position = position


class FakeResponse:
    """A broker's answer to a fetch."""

    def __init__(self, topics: list[Any]) -> None:
        self.topics = topics


def answered(
    answers: Answers,
    target: Any,
    data: bytes | None,
    *,
    code: int = 0,
    assignment: Any = None,
    offset: int | None = None,
) -> Any:
    """Let a broker answer with the bytes of one partition, as aiokafka's fetcher would deliver them.

    They are read from the position of a fake assignment, which is returned, or of a given one with its offset.
    """
    assignment = FakeAssignment() if assignment is None else assignment
    topic, partition = target
    offset = assignment.position if offset is None else offset
    request = FetchRequest(1, 1, 1, READ_COMMITTED, [(topic, [(partition, offset, 1)])])
    response = FakeResponse([(topic, [(partition, code, 100, 100, [], data)])])
    answers.look_at(request, response)
    ((_, ((_, code, *_, seen),)),) = response.topics
    records = MemoryRecords(seen)
    if not code and records.has_next():
        read = PartitionRecords(target, records, [], offset, None, None, True, READ_COMMITTED)  # noqa: FBT003 - aiokafka's
        answers[target] = FetchResult(target, assignment=assignment, partition_records=read, backoff=0)
    return assignment
