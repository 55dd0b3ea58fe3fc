from __future__ import annotations

import gc
import struct
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchError, PartitionRecords
from aiokafka.errors import CorruptRecordException, UnknownError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kafka.errors import UnreadableTopicError
from pipeline.kafka.fetched.lenient import MOST_HEADERS
from pipeline.kafka.fetched.reading import AT_ONCE_BYTES, HEADER_BYTES, Answers, read_safely
from pipeline.kafka.fetched.room import UnpackedRoom
from pipeline.kafka.fetched.unpacking import BOUND, Codec
from tests.fakes.batches import (
    FIRST_TIMESTAMP,
    PACK,
    FakeAssignment,
    FakeResponse,
    answered,
    batch,
    messages,
    number,
    record,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pipeline.kafka.fetched.faults import Unreadable

PARTITION = TopicPartition("onesignal.events", 3)
NOT_UTF8 = b"\xff\xfe name@example.org"


class HeldAnswers(Answers):
    """Answers that store the unreadable batches that they find, as a worker's do."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Unreadable] = []

    def unreadable(self, _partition: object, found: Unreadable) -> None:
        self.found.append(found)


def read(data: bytes, position: int = 0) -> tuple[list[Any], list[Unreadable], int]:
    """Return the messages of an answer, what cannot be read, and the next position of the partition."""
    answers = HeldAnswers()
    assignment = answered(answers, PARTITION, data, assignment=FakeAssignment(position))
    found = answers[PARTITION].getall() if PARTITION in answers else []
    return found, answers.found, assignment.position


def offsets(found: list[Any]) -> list[int]:
    return [each.offset for each in found]


@pytest.mark.parametrize("codec", PACK)
def test_batches_of_every_codec_are_read_as_aiokafka_reads_them(codec: Codec) -> None:
    headers = [(b"format-version", b"1"), (b"none", None)]
    data = batch(record(0, b"u-1", b"{}", headers), record(1, None, None), codec=codec) + messages(3, base=2)
    plain = PartitionRecords(PARTITION, MemoryRecords(data), [], 0, None, None, True, READ_COMMITTED)  # noqa: FBT003

    found, unreadable, position = read(data)

    assert found == list(plain)
    assert (unreadable, position) == ([], 5)


@pytest.mark.parametrize("codec", PACK)
def test_a_header_name_that_is_not_utf8_stops_nothing(codec: Codec) -> None:
    bad = record(1, b"u-2", b"[2]", [(NOT_UTF8, b"x"), (b"format-version", b"1")])
    data = batch(record(0, b"u-1", b"[1]"), bad, record(2, b"u-3", b"[3]"), codec=codec) + messages(1, base=3)

    found, unreadable, position = read(data)

    assert [(each.offset, each.timestamp - FIRST_TIMESTAMP, each.key, each.value) for each in found] == [
        (0, 0, b"u-1", b"[1]"),
        (1, 1, b"u-2", b"[2]"),
        (2, 2, b"u-3", b"[3]"),
        (3, 0, b"u-1", b"{}"),
    ]
    assert found[1].headers[1] == ("format-version", b"1")
    assert (unreadable, position) == ([], 4)


LONG = record(0, b"u-1", bytes(1_100_000))
"""Enough to make a batch so large that its headers are counted."""


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.ZSTD])
@pytest.mark.parametrize("more", [1, 200_000])
def test_countless_headers_are_not_read_and_stop_nothing(codec: Codec, more: int) -> None:
    many = record(1, b"u-2", b"[2]", [(b"", None)] * (MOST_HEADERS + more))
    versioned = record(2, b"u-3", b"[3]", [(b"format-version", b"1")])
    found, unreadable, position = read(batch(LONG, many, versioned, codec=codec))
    assert [(each.offset, each.key, each.headers) for each in found] == [
        (0, b"u-1", ()),
        (1, b"u-2", ()),
        (2, b"u-3", (("format-version", b"1"),)),
    ]
    assert (unreadable, position) == ([], 3)


def test_as_many_headers_as_are_read_are_read() -> None:
    found, unreadable, _ = read(batch(LONG, record(1, b"u-2", b"[2]", [(b"", None)] * MOST_HEADERS)))
    assert ([len(each.headers) for each in found], unreadable) == ([0, MOST_HEADERS], [])


@pytest.mark.parametrize("lie", [number(-7), number(900_000), b"\xff" * 10, number(300_000) + bytes(300_000)])
def test_lengths_that_lie_where_headers_are_counted_end_nothing(lie: bytes) -> None:
    found, unreadable, _ = read(batch(LONG, lie, count=2, last=1))
    assert (offsets(found), len(unreadable)) == ([0], 1)


def test_such_a_batch_is_read_on_from_its_middle() -> None:
    data = batch(record(0, b"u-1", b"1"), record(1, b"u-2", b"2", [(NOT_UTF8, None)]), record(2, b"u-3", b"3"))
    found, unreadable, _ = read(data, position=2)
    assert (offsets(found), unreadable) == ([2], [])


EMPTY = b"\x00\x00\x00" + text(None) + text(None)
"""A record's attributes and deltas, without key and value."""
UNREADABLE = {
    "a wrong checksum": (batch(record(0, b"u", b"1"), base=2, crc=1), [], "checksum"),
    "an unknown format": (batch(record(0, b"u", b"1"), base=2, magic=3), [], "format 3"),
    "an unknown codec": (batch(record(0, b"u", b"1"), base=2, codec=5), [], "damaged"),
    "damaged bytes": (batch(base=2, codec=Codec.ZSTD, packed=PACK[Codec.ZSTD](b"x" * 99)[:-3], last=0), [], "damaged"),
    "a bomb": (batch(base=2, codec=Codec.ZSTD, packed=PACK[Codec.ZSTD](bytes(2_000_000)), last=0), [], "PIPELINE_MAX"),
    "too many records": (batch(record(0, b"u", b"1"), record(1, b"u", b"2"), base=2, count=1, last=1), [2], "more"),
    "too few records": (batch(record(0, b"u", b"1"), base=2, count=3, last=2), [2], "fewer"),
    "an offset beyond its end": (
        batch(record(0, b"u", b"1"), record(9_000_000, b"u", b"2"), record(2, b"u", b"3"), base=2),
        [2],
        "beyond its end",
    ),
    "a first offset beyond its end": (batch(record(1, b"u", b"1"), base=2), [], "beyond its end"),
    "a negative count": (batch(record(0, b"u", b"1"), base=2, count=-1), [], "more"),
    "a number that does not end": (batch(record(0, b"u", b"1"), b"\xff" * 12, base=2), [2], "too long"),
    "a record of exabytes": (batch(record(0, b"u", b"1"), number(2**62) + b"\x00", base=2), [2], "past its end"),
    "a key of exabytes": (batch(number(14) + EMPTY[:3] + number(2**62) + b"\x01", base=2), [], "past its end"),
    "headers without end": (batch(number(9) + EMPTY + number(2**30), base=2), [], ""),
    "fewer headers than none": (batch(number(6) + EMPTY + number(-1), base=2), [], ""),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_ends_there_and_what_came_before_is_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BOUND, "most_bytes", 1_000_000)
    bad, of_it, why = UNREADABLE[name]
    data = messages(2) + bad + messages(3, base=10)

    found, unreadable, position = read(data)

    assert offsets(found) == [0, 1, *of_it]
    (fault,) = unreadable
    assert (fault.offset, fault.next_offset) == (position, 10), "where the next batch begins"
    assert position == 2 + len(of_it)
    assert why in fault.why


def test_an_offset_beyond_a_batch_is_an_error_without_a_worker_too() -> None:
    answers = Answers()
    answered(answers, PARTITION, batch(record(7, b"u", b"1")))
    with pytest.raises(UnreadableTopicError, match="from offset 0 on: a record in it has an offset beyond its end"):
        answers[PARTITION].getall()


def test_a_short_batch_after_a_good_one_is_unreadable_and_not_read_past_its_end() -> None:
    short = struct.pack(">qiibI", 2, 20, 0, 2, 0) + bytes(11)
    found, (fault,), position = read(messages(2) + short)
    assert (offsets(found), fault.offset, position) == ([0, 1], 2, 2)
    tiny = struct.pack(">qi", 2, 0)
    found, (fault,), position = read(messages(2) + tiny)
    assert (offsets(found), fault.offset, position) == ([0, 1], 2, 2)


@pytest.mark.parametrize(("last", "count", "follows"), [(4, 5, 12), (2**30, 5, None), (4, 1, None), (-50, -49, None)])
def test_the_last_batch_tells_itself_what_follows_it_unless_it_contradicts_itself(
    last: int, count: int, follows: int | None
) -> None:
    _, (fault,), _ = read(batch(record(0, b"u", b"1"), base=7, last=last, count=count, crc=1), position=7)
    assert (fault.offset, fault.next_offset) == (7, follows)


def test_a_batch_that_is_as_it_was_written_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BOUND, "most_bytes", 1_000_000)
    bomb = batch(base=7, codec=Codec.ZSTD, packed=PACK[Codec.ZSTD](bytes(2_000_000)), last=4)
    _, (fault,), _ = read(bomb, position=7)
    assert fault.next_offset == 12


@pytest.mark.parametrize(
    "behind",
    [struct.pack(">qi", 10, 500) + bytes(80), struct.pack(">qi", 10, -60) + bytes(80), bytes(200)],
    ids=["too long", "of a negative length", "nothing"],
)
def test_what_stands_behind_a_batch_of_a_wrong_length_is_no_batch_and_tells_no_offset(behind: bytes) -> None:
    bad = bytearray(messages(3, base=2))
    bad[8:12] = (int.from_bytes(bad[8:12], "big") - 8).to_bytes(4, "big")
    bad[57:61] = (9).to_bytes(4, "big")
    _, (fault,), position = read(messages(2) + bytes(bad) + behind)
    assert (fault.offset, fault.next_offset, position) == (2, None, 2)


def test_a_batch_that_is_cut_off_at_the_end_comes_with_the_next_answer() -> None:
    found, unreadable, position = read(messages(2) + messages(3, base=2)[:-5])
    assert (offsets(found), unreadable, position) == ([0, 1], [], 2)


@pytest.mark.parametrize(
    "data", [messages(2)[:-1], messages(2)[:9], struct.pack(">qi", 0, -100) + bytes(80), struct.pack(">qi", 0, 13)]
)
def test_an_answer_that_begins_with_half_a_batch_loses_no_offset(data: bytes) -> None:
    found, (fault,), position = read(data, position=5)
    assert (found, position) == ([], 5)
    assert (fault.offset, fault.next_offset) == (5, None)


@pytest.mark.parametrize("code", [UnknownError.errno, CorruptRecordException.errno])
def test_a_broker_that_cannot_read_its_own_log_is_reported(code: int) -> None:
    answers = HeldAnswers()
    answered(answers, PARTITION, None, code=code, assignment=FakeAssignment(9))
    assert [(fault.offset, fault.why) for fault in answers.found] == [(9, "the broker reports that it cannot read it")]


def test_an_answer_without_bytes_and_one_that_nobody_asked_for_are_nothing() -> None:
    answers = HeldAnswers()
    answered(answers, PARTITION, None)
    response = FakeResponse(
        [("onesignal.events", [(3, 0, 1, b""), (4, 0, 1, messages(1))]), ("other", [(3, 0, 1, b"")])]
    )
    answers.look_at(FetchRequest(1, 1, 1, 0, [("onesignal.events", [(3, 0, 1)])]), response)
    assert response.topics == [("onesignal.events", [(3, 0, 1, b"")]), ("other", [])]
    assert (answers.found, list(answers)) == ([], [])


def test_what_a_broker_answers_of_a_partition_a_second_time_is_nothing() -> None:
    answers = HeldAnswers()
    parts = [(3, 0, 1, messages(1)), (3, 0, 1, messages(2)), (3, UnknownError.errno, 1, b"")]
    response = FakeResponse([("onesignal.events", parts), ("onesignal.events", [(3, 0, 1, b"cut off")])])
    answers.look_at(FetchRequest(1, 1, 1, 0, [("onesignal.events", [(3, 0, 1)])]), response)
    assert response.topics == [("onesignal.events", parts[:1]), ("onesignal.events", [])]
    assert answers.found == []


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [Codec.NONE, Codec.GZIP, Codec.SNAPPY])
def test_batches_of_the_old_formats_are_read(magic: int, codec: Codec) -> None:
    builder = LegacyRecordBatchBuilder(magic, codec, 100_000)
    for offset in range(3):
        builder.append(offset, FIRST_TIMESTAMP, b"u", b"%d" % offset)
    found, unreadable, position = read(bytes(builder.build()) + messages(1, base=3))
    assert [each.value for each in found] == [b"0", b"1", b"2", b"{}"]
    assert (unreadable, position) == ([], 4)


def test_a_bomb_of_the_old_formats_is_none_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BOUND, "most_bytes", 1_000_000)
    builder = LegacyRecordBatchBuilder(1, Codec.GZIP, 100_000)
    builder.append(0, FIRST_TIMESTAMP, b"u", bytes(400_000))
    found, (fault,), _ = read(bytes(builder.build()))
    assert found == []
    assert "PIPELINE_MAX_UNPACKED_BATCH_BYTES" in fault.why
    damaged = bytearray(builder.build())
    damaged[-1] ^= 1
    _, (fault,), _ = read(bytes(damaged))
    assert "checksum" in fault.why


def test_without_a_worker_what_cannot_be_read_is_an_error_that_names_it() -> None:
    answers = Answers()
    answered(answers, PARTITION, messages(2) + batch(record(0, b"u", b"1"), base=2, crc=1))
    with pytest.raises(
        UnreadableTopicError, match=r"onesignal.events\[3\] cannot be read from offset 2 on.*checksum"
    ) as told:
        answers[PARTITION].getall()
    assert told.value.partition == PARTITION

    answered(answers, PARTITION, b"cut off")
    error = answers[PARTITION]
    assert isinstance(error, FetchError)
    with pytest.raises(UnreadableTopicError, match="cut off"):
        error.check_raise()


class SharedAnswers(HeldAnswers):
    """Answers that share one memory bound."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.seconds = 0.0
        self.shared = UnpackedRoom(most, now=lambda: self.seconds)

    def room(self) -> UnpackedRoom:
        return self.shared


def test_a_batch_that_was_packed_up_is_read_on_where_it_was_left() -> None:
    answers = SharedAnswers(1_000_000)
    data = batch(
        *(record(each, b"u", b"x" * 90, [(NOT_UTF8, None)] * (each == 5)) for each in range(9)), codec=Codec.ZSTD
    )
    answered(answers, PARTITION, data)
    found = []
    for _ in range(9):
        found += answers[PARTITION].getall(1)
        answers[PARTITION]._partition_records.pack_up()
        assert answers.shared.taken == 0
    assert offsets(found) == list(range(9))
    assert answers[PARTITION].getall() == []


def test_memory_for_unpacked_batches_is_given_back_when_they_are_read_or_forgotten() -> None:
    answers = SharedAnswers(1_000_000)
    other = TopicPartition("onesignal.events", 4)
    for partition in (PARTITION, other):
        answered(answers, partition, messages(5, codec=Codec.LZ4))
        answers[partition].getall(1)
    assert answers.shared.taken > 0
    answers[PARTITION].getall()
    answers.clear()
    assert (answers.shared.taken, len(answers)) == (0, 0)
    answered(answers, PARTITION, messages(5, codec=Codec.LZ4))
    answers[PARTITION].getall(1)
    del answers[PARTITION]
    assert answers.shared.taken == 0


def given_at_once(answers: Answers) -> Callable[..., Awaitable[dict[Any, list[int]]]]:
    """Drain the stored answers as aiokafka's fetcher does: one partition after the other."""

    async def fetched_records() -> dict[Any, list[int]]:
        drained = {}
        for partition in list(answers):
            if found := answers[partition].getall(1_000):
                drained[partition] = offsets(found)
            if not answers[partition].has_more():
                del answers[partition]
        return drained

    return answers.bounded(fetched_records)


async def test_without_a_worker_what_is_given_at_once_is_bounded_over_all_partitions() -> None:
    answers = Answers()
    other = TopicPartition("onesignal.events", 4)
    large = bytes(3 * AT_ONCE_BYTES // 4)
    for partition in (PARTITION, other):
        answered(answers, partition, batch(*(record(each, b"u", large) for each in range(3)), codec=Codec.ZSTD))
    give = given_at_once(answers)
    assert [await give() for _ in range(5)] == [
        {PARTITION: [0, 1]},
        {PARTITION: [2], other: [0]},
        {other: [1, 2]},
        {},
        {},
    ]
    assert list(answers) == []


async def test_without_a_worker_headers_count_in_what_is_given_at_once() -> None:
    answers = Answers()
    many = [(b"n", b"v")] * (AT_ONCE_BYTES // HEADER_BYTES // 2)
    answered(answers, PARTITION, batch(*(record(each, b"u", b"{}", many) for each in range(4)), codec=Codec.ZSTD))
    give = given_at_once(answers)
    assert [await give() for _ in range(2)] == [{PARTITION: [0, 1]}, {PARTITION: [2, 3]}]


async def test_a_partition_that_is_paused_or_was_repositioned_gives_nothing_of_before() -> None:
    answers = Answers()
    answered(answers, PARTITION, messages(3)).position = 7
    assert await given_at_once(answers)() == {}
    assert list(answers) == []


class FakeClient:
    """The client that a fetcher sends requests with."""

    def __init__(self, answer: Any) -> None:
        self.cluster = "the cluster"
        self._answer = answer

    async def send(self, _node_id: int, _request: object) -> Any:
        return self._answer


async def test_the_answers_of_a_fetcher_are_looked_at_on_their_way_and_others_pass() -> None:
    response = FakeResponse([("onesignal.events", [(3, 0, 1, b"cut off")])])
    fetcher = type("Fetcher", (), {"_client": FakeClient(response), "_records": None, "fetched_records": None})()
    read_safely(type("Consumer", (), {"_fetcher": fetcher})())
    assert fetcher._client.cluster == "the cluster"
    assert await fetcher._client.send(1, "metadata") is response
    assert list(fetcher._records) == []
    await fetcher._client.send(1, FetchRequest(1, 1, 1, 0, [("onesignal.events", [(3, 0, 1)])]))
    assert list(fetcher._records) == [PARTITION]


@given(data=st.data())
def test_no_bytes_in_a_batch_do_more_than_end_its_partition(data: Any) -> None:
    codec = data.draw(st.sampled_from(list(PACK)))
    body = bytearray(b"".join(record(each, b"u-1", b"{}", [(b"name", b"value")]) for each in range(4)))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    bad = batch(base=2, codec=codec, packed=PACK[codec](bytes(body[:cut])), count=data.draw(st.integers(-2, 9)), last=3)

    found, unreadable, position = read(messages(2) + bad + messages(1, base=6))

    assert offsets(found)[:2] == [0, 1]
    if unreadable:
        assert unreadable[0].offset == position
    else:
        assert found[-1].offset == position - 1


@pytest.mark.parametrize("data", [messages(3), messages(3) + batch(record(0, b"u", b"1"), base=3, crc=1)])
@pytest.mark.parametrize("most", [1, None])
def test_an_answer_and_its_bytes_do_not_wait_for_the_collector(data: bytes, most: int | None) -> None:
    answers = HeldAnswers()
    answered(answers, PARTITION, data)
    kept = weakref.ref(answers[PARTITION]._partition_records)
    gc.disable()
    try:
        answers[PARTITION].getall(most)
        if PARTITION in answers:
            del answers[PARTITION]
        assert kept() is None
    finally:
        gc.enable()


def test_what_aiokafka_had_made_of_an_answer_does_not_wait_for_the_collector() -> None:
    answers = HeldAnswers()
    gc.collect()
    gc.disable()
    try:
        answered(answers, PARTITION, messages(3))
        assert not [each for each in gc.get_objects() if type(each) is PartitionRecords]
    finally:
        gc.enable()
