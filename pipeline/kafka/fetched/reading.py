"""Read what brokers answer to a fetch without trusting a byte of it.

aiokafka 0.14 raises out of `getmany` for what it cannot decode, again and again (`aiokafka/consumer/fetcher.py`,
`PartitionRecords._unpack_records`); it passes over an offset where a batch is cut off (`_proc_fetch_request`,
`consumed_to(position + 1)`), and it asks for ever, without a word, where the broker cannot read its own log. So the
answers of brokers are looked at before its fetcher does that, and their batches are read here.
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
"""Of all partitions together, so much is given to whoever asks for messages; the last of them may go beyond."""
HEADER_BYTES: Final = 256
"""The most that a header takes in memory beside its name and its value: three objects."""


class PartitionAnswer(PartitionRecords):  # type: ignore[misc] # aiokafka has no types
    """The messages of one answer; it ends where something cannot be read, and reports that.

    A batch is unpacked when its first message is asked for.
    """

    next_fetch_offset: int

    def __init__(
        self,
        answer: PartitionRecords,
        data: bytes,
        room: UnpackedRoom,
        on_unreadable: Callable[[Any, Unreadable], None],
    ) -> None:
        """Read `data` in place of `answer`, whose position and aborted transactions it has."""
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
            False,  # noqa: FBT003 - the batches do that
            answer._isolation_level,  # noqa: SLF001
        )

    def __next__(self) -> Any:
        """Return the next message.

        Raises:
            StopIteration: there is none that can be read.
            NoRoomError: the next batch must wait to be unpacked.
        """
        while True:
            before = self.next_fetch_offset
            try:
                message = next(self._records_iterator)
                if self.next_fetch_offset > self._batches.beyond:
                    self._refuse_offset(before)
                return message  # noqa: TRY300 - what follows are all the ways in which there is none
            except StopIteration:
                self.close()
                raise
            except NoRoomError:
                self.pack_up()
                raise
            except BatchFaultError as fault:
                self._give_up(fault)
            except Exception as error:  # noqa: BLE001 - aiokafka's own, Unicode's, or of a number that is too large
                if self._batches.is_lenient:
                    self._give_up(BatchFaultError(f"its records cannot be read ({type(error).__name__})"))
                else:
                    self.pack_up(leniently=True)

    def _refuse_offset(self, before: int) -> NoReturn:
        """Refuse a message whose offset is not one of its batch; `before` is where it was expected.

        Kafka 4.1 takes a batch that is not compressed with any offsets in it (`LogValidator`). One that is committed
        would pass over messages of others.

        Raises:
            BatchFaultError: always.
        """
        self.next_fetch_offset = max(before, self._batches.extent.offset)
        raise BatchFaultError("a record in it has an offset beyond its end")

    @property
    def may_go_on(self) -> bool:
        """Whether the batch that waits to be unpacked can be unpacked now."""
        return not self._wanted or self._room.fits(self, self._wanted)

    def touch(self) -> None:
        """Called when messages were read."""
        self._room.touch(self)

    def pack_up(self, *, leniently: bool = False) -> None:
        """Let the unpacked batch go; it is unpacked again when it is read on."""
        self._room.give_back(self)
        self._batches.read_again(leniently=leniently or self._batches.is_lenient)
        self._records_iterator = self._unpack_records()

    def close(self) -> None:
        """Let everything go, without waiting for Python's collector."""
        if self._records_iterator is not _NO_MORE:
            self._room.leave(self)
            self._batches.close()
            self._records_iterator = _NO_MORE

    def _reserve(self, size: int) -> None:
        self._wanted = size
        self._room.take(self, size)
        self._wanted = 0

    def refuse(self, offset: int, fault: BatchFaultError) -> None:
        """End before a message that was read and cannot be used; those behind it can."""
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
    """What a fetcher keeps until it is asked for, by partition: the answer to a fetch, or its error."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        super().__init__()
        self._bytes: dict[Any, bytes] = {}
        """What the last answer of a broker holds, by partition, until it is kept."""
        self._left_bytes = AT_ONCE_BYTES

    def __setitem__(self, place: Any, answer: Any) -> None:
        """Keep an answer."""
        if isinstance(answer, FetchResult):
            read, data = answer._partition_records, self._bytes.pop(place)  # noqa: SLF001
            answer._partition_records = PartitionAnswer(read, data, self.room(), self.unreadable)  # noqa: SLF001
            read._records_iterator = read._records = None  # noqa: SLF001 - it refers to itself, and to all bytes
            answer.getall = partial(self._take_some, place)
        super().__setitem__(place, answer)

    def __delitem__(self, place: Any) -> None:
        """Keep an answer no longer."""
        _close(self[place])
        super().__delitem__(place)

    def clear(self) -> None:
        """Keep nothing any more."""
        for answer in self.values():
            _close(answer)
        super().clear()

    def bounded(self, fetched_records: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return a fetcher's method that gives out what is kept, bounded in bytes: aiokafka counts messages alone."""

        async def some(*arguments: Any, **options: Any) -> Any:
            self._left_bytes = AT_ONCE_BYTES
            return await fetched_records(*arguments, **options)

        return some

    def _take_some(self, place: Any, max_records: int | None = None) -> Sequence[Any]:
        """Remove and return messages of an answer, as `FetchResult.getall` does. The others stay for the next call."""
        answer = self[place]
        found: list[Any] = []
        if self._left_bytes <= 0 or not answer.check_assignment(place) or not answer.has_more():
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
        """Return where the memory for unpacking comes from: here, as much as is allowed for each answer."""
        return UnpackedRoom(BOUND.most_bytes, now=time.monotonic)

    def unreadable(self, place: Any, found: Unreadable) -> None:
        """Called with a partition, and what cannot be read of it.

        Raises:
            UnreadableTopicError: always, here.
        """
        raise UnreadableTopicError(place, f"{describe(place, found)}; {found.remedy}")

    def look_at(self, request: FetchRequest, response: Any) -> None:
        """Called with what a broker answers to a fetch, before aiokafka sees it.

        Left out is what nobody asked for, and what is told of a partition a second time.
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
        place = TopicPartition(topic, number)
        why = None
        if code in _BROKER_CANNOT_READ:
            why = "the broker reports that it cannot read it"
        elif not code and data and is_cut_off(data):
            why = "it is cut off, or its length is wrong"
        if why is None:
            self._bytes[place] = data
            return part if data is not None else (*part[:-1], b"")
        try:
            self.unreadable(place, Unreadable(offset=offset, next_offset=None, why=why))
        except UnreadableTopicError as error:
            super().__setitem__(place, FetchError(error=error, backoff=0.0))
        return (*part[:-1], b"")


class _WatchedClient:
    """aiokafka's client of a fetcher, whose answers are looked at on their way."""

    def __init__(self, client: Any, answers: Answers) -> None:
        self.cluster = client.cluster  # asked for each partition of each request
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
    """Let a consumer that was started, and has no partitions yet, keep what it fetches in `answers`.

    Without them it raises `UnreadableTopicError` where something cannot be read, and gives a few megabytes at once.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - aiokafka has no other way in
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
