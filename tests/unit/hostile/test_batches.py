from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as some

from tests.hostile.batches import (
    COUNT_AT,
    Batch,
    Codec,
    Record,
    checked_again,
    encoded,
    encoded_headers,
    flipped,
    varint,
    with_number,
)
from tests.hostile.wire import change_stored_batch

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

names = some.text(max_size=20).map(str.encode)
contents = some.none() | some.binary(max_size=200)
records = some.builds(
    Record,
    value=contents,
    key=contents,
    headers=some.lists(some.tuples(names, contents), max_size=3).map(tuple),
    more_milliseconds=some.integers(0, 10**9),
)
batches = some.builds(
    Batch,
    records=some.lists(records, min_size=1, max_size=5),
    codec=some.sampled_from(Codec),
    first_timestamp=some.integers(0, 2**60),
)


def read(stored: bytes) -> Any:
    found = MemoryRecords(stored).next_batch()
    assert found.validate_crc()
    return found


@given(batch=batches, base_offset=some.integers(0, 2**60))
def test_the_client_reads_what_was_written(batch: Batch, base_offset: int) -> None:
    found = read(encoded(batch, base_offset=base_offset))
    assert found.compression_type == batch.codec
    seen = [(each.offset, each.timestamp, each.key, each.value, tuple(each.headers)) for each in found]
    assert seen == [
        (
            base_offset + number,
            batch.first_timestamp + record.more_milliseconds,
            record.key,
            record.value,
            tuple((name.decode(), value) for name, value in record.headers),
        )
        for number, record in enumerate(batch.records)
    ]
    assert found.next_offset == base_offset + len(batch.records)


def test_attributes_and_the_producer_are_written() -> None:
    batch = Batch(
        records=[Record(value=b"")],
        is_control=True,
        is_transactional=True,
        producer_id=7,
        producer_epoch=2,
        base_sequence=9,
    )
    found = read(encoded(batch))
    assert (found.is_control_batch, found.is_transactional, found.producer_id) == (True, True, 7)


def test_a_name_that_is_not_utf8_is_written_as_it_is() -> None:
    stored = encoded(Batch(records=[Record(value=b"v", headers=((b"caf\xe9", None),))]))
    assert b"caf\xe9" in stored
    with pytest.raises(UnicodeDecodeError):
        list(read(stored))


def test_a_batch_that_lies_has_a_checksum_that_is_right() -> None:
    truth = encoded(Batch(records=[Record(value=b"v")]))
    lie = with_number(truth, 2_000_000, at=COUNT_AT)
    assert len(lie) == len(truth)
    with pytest.raises(CorruptRecordException):
        list(read(lie))


def test_a_damaged_batch_has_a_checksum_that_is_wrong_until_it_is_written_again() -> None:
    damaged = flipped(encoded(Batch(records=[Record(value=b"v")])))
    assert not MemoryRecords(damaged).next_batch().validate_crc()
    assert MemoryRecords(checked_again(damaged)).next_batch().validate_crc()


@pytest.mark.parametrize(
    ("number", "written"), [(0, b"\0"), (-1, b"\1"), (1, b"\2"), (-64, b"\x7f"), (64, b"\x80\1"), (300, b"\xd8\4")]
)
def test_numbers_are_zigzag(number: int, written: bytes) -> None:
    assert varint(number) == written


def test_headers_may_be_lies() -> None:
    assert encoded_headers(((b"n", None),)) == b"\2\2n\1"
    lying = encoded(Batch(records=[Record(value=b"v", lies=varint(1_000_000))]))
    with pytest.raises(CorruptRecordException):
        list(read(lying))


def test_a_stored_batch_is_changed_where_it_is_stored(tmp_path: Path) -> None:
    stored = [encoded(Batch(records=[Record(value=b"v")] * 2), base_offset=offset) for offset in (0, 2, 4)]
    (tmp_path / "topic-1").mkdir()
    segment = tmp_path / "topic-1" / f"{0:020d}.log"
    segment.write_bytes(b"".join(stored))
    assert change_stored_batch(tmp_path, "topic", 1, 2, flipped) == 4
    assert segment.read_bytes() == stored[0] + flipped(stored[1]) + stored[2]
    with pytest.raises(LookupError):
        change_stored_batch(tmp_path, "topic", 1, 3, flipped)
    with pytest.raises(ValueError, match="cannot become"):
        change_stored_batch(tmp_path, "topic", 1, 2, lambda batch: batch + b"x")
