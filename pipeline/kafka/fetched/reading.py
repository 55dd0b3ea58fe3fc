"""Read the brokers' fetch responses without trusting any byte of them.

For bytes that it cannot decode, aiokafka 0.14 raises from `getmany` each time (`aiokafka/consumer/fetcher.py`,
`PartitionRecords._unpack_records`). It skips an offset if a batch is cut off (`_proc_fetch_request`,
`consumed_to(position + 1)`), and it fetches silently for ever if the broker cannot read its own log. So responses are
checked before its fetcher sees them, and their batches are read here.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from aiokafka.consumer.fetcher import FetchError, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException, UnknownError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from pipeline.kafka.errors import UnreadableTopicError
from pipeline.kafka.fetched.batches import Batches, is_cut_off
from pipeline.kafka.fetched.faults import BatchFaultError, TooLargeError, Unreadable, describe
from pipeline.kafka.fetched.room import NoRoomError, UnpackedRoom
from pipeline.kafka.fetched.unpacking import BOUND

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    import aiokafka

_NO_MORE: Final[Iterator[Any]] = iter(())
_BROKER_CANNOT_READ: Final = frozenset({UnknownError.errno, CorruptRecordException.errno})
AT_ONCE_BYTES: Final = 4 * 1024 * 1024
"""The bytes that one call returns from all partitions together. The last message may exceed it."""
HEADER_BYTES: Final = 256
"""The most memory of a header besides its name and its value: three objects."""


class PartitionAnswer(PartitionRecords):  # type: ignore[misc] # aiokafka has no types
    """The messages of one answer. It ends at the first message that cannot be read, and reports it.

    A batch is unpacked when its first message is requested.
    """

    next_fetch_offset: int

    def __init__(
        self,
        answer: PartitionRecords,
        data: bytes,
        room: UnpackedRoom,
        on_unreadable: Callable[[Any, Unreadable], None],
    ) -> None:
        """Read `data` instead of `answer`, from the same position and with the same aborted transactions."""
        self._room = room
        self._on_unreadable = on_unreadable
        self._wanted = 0
        self._batches = Batches(data, most=room.most, reserve=self._reserve)
        super().__init__(
            answer._tp,  # noqa: SLF001
            self._batches,
            answer._aborted_transactions,  # noqa: SLF001
            answer.next_fetch_offset,
            None,
            None,
            False,  # noqa: FBT003 - `Batches` checks the CRC
            answer._isolation_level,  # noqa: SLF001
        )

    def __next__(self) -> Any:
        """Return the next message.

        Raises:
            StopIteration: no further message can be read.
            NoRoomError: the next batch must wait to be unpacked.
        """
        while True:
            before = self.next_fetch_offset
            try:
                message = next(self._records_iterator)
                if self.next_fetch_offset > self._batches.beyond:
                    self._refuse_offset(before)
                return message  # noqa: TRY300 - all other branches have no message
            except StopIteration:
                self.close()
                raise
            except NoRoomError:
                self.pack_up()
                raise
            except BatchFaultError as fault:
                self._give_up(fault)
            except Exception as error:  # noqa: BLE001 - of aiokafka, of Unicode, or of a number that is too large
                if self._batches.is_lenient:
                    self._give_up(BatchFaultError(f"its records cannot be read ({type(error).__name__})"))
                else:
                    self.pack_up(leniently=True)

    def _refuse_offset(self, before: int) -> NoReturn:
        """Reject a message whose offset is outside its batch; `before` is where it was expected.

        Kafka 4.1 accepts an uncompressed batch with any offsets in it (`LogValidator`). Committing such an offset would
        skip messages of other batches.

        Raises:
            BatchFaultError: always.
        """
        self.next_fetch_offset = max(before, self._batches.extent.offset)
        raise BatchFaultError("a record in it has an offset beyond its end")

    @property
    def may_go_on(self) -> bool:
        """Whether the batch that waits for memory can be unpacked now."""
        return not self._wanted or self._room.fits(self, self._wanted)

    def touch(self) -> None:
        """Called when messages were read."""
        self._room.touch(self)

    def pack_up(self, *, leniently: bool = False) -> None:
        """Release the unpacked batch; it is unpacked again when reading continues."""
        self._room.give_back(self)
        self._batches.read_again(leniently=leniently or self._batches.is_lenient)
        self._records_iterator = self._unpack_records()

    def close(self) -> None:
        """Release all memory, without waiting for Python's garbage collector."""
        if self._records_iterator is not _NO_MORE:
            self._room.leave(self)
            self._batches.close()
            self._records_iterator = _NO_MORE

    def _reserve(self, size: int) -> None:
        self._wanted = size
        self._room.take(self, size)
        self._wanted = 0

    def refuse(self, offset: int, fault: BatchFaultError) -> None:
        """End before a message that was read but cannot be used. The messages after it can be used."""
        self.next_fetch_offset = offset
        self._end_before(fault, next_offset=offset + 1)

    def _give_up(self, fault: BatchFaultError) -> None:
        self._end_before(fault, next_offset=self._batches.next_offset())

    def _end_before(self, fault: BatchFaultError, *, next_offset: int | None) -> None:
        offset = self.next_fetch_offset
        self.close()
        found = Unreadable(
            offset=offset,
            next_offset=next_offset if next_offset is not None and next_offset > offset else None,
            why=str(fault),
            setting=fault.setting if isinstance(fault, TooLargeError) else None,
        )
        self._on_unreadable(self._tp, found)


class Answers(OrderedDict[Any, Any]):
    """The fetched answers of a fetcher that were not consumed yet, by partition: messages, or an error."""

    def __init__(self) -> None:
        """Start without answers."""
        super().__init__()
        self._bytes: dict[Any, bytes] = {}
        """The bytes of the last response, by partition, until its answers are stored."""
        self._left_bytes = AT_ONCE_BYTES

    def __setitem__(self, partition: Any, answer: Any) -> None:
        """Store an answer."""
        if isinstance(answer, FetchResult):
            read, data = answer._partition_records, self._bytes.pop(partition)  # noqa: SLF001
            answer._partition_records = PartitionAnswer(read, data, self.room(), self.unreadable)  # noqa: SLF001
            read._records_iterator = read._records = None  # noqa: SLF001 - it is in a reference cycle with all bytes
            answer.getall = partial(self._take_some, partition)
        super().__setitem__(partition, answer)

    def __delitem__(self, partition: Any) -> None:
        """Close and remove an answer."""
        _close(self[partition])
        super().__delitem__(partition)

    def clear(self) -> None:
        """Close and remove all answers."""
        for answer in self.values():
            _close(answer)
        super().clear()

    def bounded(self, fetched_records: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Wrap a fetcher's method that returns messages with a limit in bytes: aiokafka only counts messages."""

        async def some(*arguments: Any, **options: Any) -> Any:
            self._left_bytes = AT_ONCE_BYTES
            return await fetched_records(*arguments, **options)

        return some

    def _take_some(self, partition: Any, max_records: int | None = None) -> Sequence[Any]:
        """Remove and return messages of an answer, as `FetchResult.getall` does. The others stay for the next call."""
        answer = self[partition]
        found: list[Any] = []
        if self._left_bytes <= 0 or not answer.check_assignment(partition) or not answer.has_more():
            return found
        records = answer._partition_records  # noqa: SLF001
        for message in records:
            found.append(message)
            self._left_bytes -= _bytes_of(message)
            if len(found) == max_records or self._left_bytes <= 0:
                answer._update_position()  # noqa: SLF001
                return found
        answer._update_position()  # noqa: SLF001
        answer._partition_records = None  # noqa: SLF001
        return found

    def room(self) -> UnpackedRoom:
        """Return the memory bound of an answer. Here each answer gets the whole bound; a subclass may share it."""
        return UnpackedRoom(BOUND.most_bytes, now=time.monotonic)

    def unreadable(self, partition: Any, found: Unreadable) -> None:
        """Called when a partition cannot be read.

        Raises:
            UnreadableTopicError: always; a subclass may handle it otherwise.
        """
        raise UnreadableTopicError(partition, f"{describe(partition, found)}; {found.remedy}")

    def look_at(self, request: FetchRequest, response: Any) -> None:
        """Called with a broker's response to a fetch, before aiokafka sees it.

        Removes partitions that were not requested, and repeated answers for the same partition.
        """
        asked = {(topic, number): offset for topic, parts in request.topics for number, offset, _ in parts}
        self._bytes = {}
        response.topics = [
            (
                topic,
                [
                    self._looked_at(topic, part, offset)
                    for part in parts
                    if (offset := asked.pop((topic, part[0]), None)) is not None
                ],
            )
            for topic, parts in response.topics
        ]

    def _looked_at(self, topic: str, part: tuple[Any, ...], offset: int) -> tuple[Any, ...]:
        number, code, *_, data = part
        partition = TopicPartition(topic, number)
        why = None
        if code in _BROKER_CANNOT_READ:
            why = "the broker reports that it cannot read it"
        elif not code and data and is_cut_off(data):
            why = "it is cut off, or its length is wrong"
        if why is None:
            self._bytes[partition] = data
            return part if data is not None else (*part[:-1], b"")
        try:
            self.unreadable(partition, Unreadable(offset=offset, next_offset=None, why=why))
        except UnreadableTopicError as error:
            super().__setitem__(partition, FetchError(error=error, backoff=0.0))
        return (*part[:-1], b"")


class _WatchedClient:
    """Wraps the client of aiokafka's fetcher, and checks each response to a fetch."""

    def __init__(self, client: Any, answers: Answers) -> None:
        self.cluster = client.cluster  # read for each partition of each request
        self._client = client
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: Any, request: Any, **options: Any) -> Any:
        response = await self._client.send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            self._answers.look_at(request, response)
        return response


def read_safely(consumer: aiokafka.AIOKafkaConsumer, answers: Answers | None = None) -> None:
    """Make a consumer store what it fetches in `answers`. It must be started and have no partitions yet.

    Without `answers` it raises `UnreadableTopicError` when a partition cannot be read, and returns a few megabytes at
    once.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - aiokafka has no public hook
    if answers is None:
        answers = Answers()
        fetcher.fetched_records = answers.bounded(fetcher.fetched_records)
    fetcher._client = _WatchedClient(fetcher._client, answers)  # noqa: SLF001
    fetcher._records = answers  # noqa: SLF001


def _bytes_of(message: Any) -> int:
    size = len(message.key or b"") + len(message.value or b"")
    if message.headers:
        size += sum(HEADER_BYTES + len(name) + len(value or b"") for name, value in message.headers)
    return size


def _close(answer: Any) -> None:
    if isinstance(answer, FetchResult) and answer._partition_records is not None:  # noqa: SLF001
        answer._partition_records.close()  # noqa: SLF001
