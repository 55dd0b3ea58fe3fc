"""Hostile batches: compressed, damaged, inconsistent, transactional, with odd timestamps, and decompression bombs."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.hostile import raw_bodies, record_bodies
from tests.hostile.batches import (
    CHECKED_FROM,
    COUNT_AT,
    RECORDS_AT,
    Batch,
    Codec,
    Record,
    checked_again,
    encoded_headers,
    flipped,
    records_section,
    varint,
    with_number,
)
from tests.hostile.bombs import GIGABYTE, lying_snappy, packed_zeros
from tests.hostile.messages import (
    DELIVERED,
    DROPPED,
    UNREADABLE,
    UNSEEN,
    Expected,
    HostileMessage,
    Outcome,
    Topic,
    always,
    letter,
)
from tests.hostile.odd_headers import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.hostile.messages import Change

_GOOD: Final = {Topic.RAW: raw_bodies.GOOD, Topic.RECORDS: record_bodies.GOOD}
_MAGIC_AT: Final = 16
_SECOND: Final = 1_000
_LATE: Final = 4_102_444_800_000  # the year 2100
_MANY: Final = 20_000
PACKED: Final = tuple(codec for codec in Codec if codec is not Codec.NONE)


def odd_batches() -> Iterable[HostileMessage]:
    """Build the batches of both topics."""
    for topic in Topic:
        yield from _compressed(topic)
        yield from _damaged(topic)
        yield from _of_transactions(topic)
        yield from _bombs(topic)
    yield from _odd_times()


def _good(topic: Topic, **more: object) -> Record:
    return Record(value=_GOOD[topic], key=KEY, **more)  # type: ignore[arg-type]


def _one(topic: Topic) -> Batch:
    return Batch(records=[_good(topic)])


def _message(
    name: str,
    sort: str,
    topic: Topic,
    batch: Callable[[], Batch],
    expected: Expected,
    *,
    stored: Change | None = None,
    aborted: bool = False,
    heavy: bool = False,
    seen: int = 1,
) -> HostileMessage:
    return HostileMessage(
        name=name,
        sort=f"{sort}, {topic}",
        topic=topic,
        batch=batch,
        expected=expected,
        stored=stored,
        aborted=aborted,
        heavy=heavy,
        seen=seen,
    )


def _compressed(topic: Topic) -> Iterable[HostileMessage]:
    for codec in Codec:
        batch = Batch(records=[_good(topic)] * 20, codec=codec)
        yield _message(f"20 messages, {codec.name.lower()}", "compression", topic, always(batch), DELIVERED, seen=20)
    for codec in PACKED:
        alone = Batch(records=[_good(topic)], codec=codec)
        yield _message(
            f"{codec.name.lower()} that breaks off",
            "compression",
            topic,
            always(alone),
            UNREADABLE,
            stored=_with_broken_packing,
        )
        yield _message(
            f"{codec.name.lower()} that is none",
            "compression",
            topic,
            partial(_one, topic),
            UNREADABLE,
            stored=partial(_with_codec, codec),
        )


def _damaged(topic: Topic) -> Iterable[HostileMessage]:
    changes: Mapping[str, Change] = {
        "one bit in the value": flipped,
        "one bit in the attributes": partial(flipped, at=CHECKED_FROM),
        "one bit in the checksum": partial(flipped, at=CHECKED_FROM - 1),
        "one bit in the number of records": partial(flipped, at=COUNT_AT),
        "an undefined codec": partial(_with_codec, 7),
        "no records, and one is there": partial(with_number, number=0, at=COUNT_AT),
        "fewer than no records": partial(with_number, number=-1, at=COUNT_AT),
    }
    for name, change in changes.items():
        yield _message(name, "damage", topic, partial(_one, topic), UNREADABLE, stored=change)
    for name, offset in {
        "the offset of the message behind it": 1,
        "an offset of a million messages later": 10**6,
    }.items():
        claims = Batch(records=[_good(topic, offset=offset)])
        yield _message(name, "claims", topic, always(claims), UNREADABLE)
    boasts = {"more records than there are": 2, "two billion records": 2**31 - 1}
    for name, number in boasts.items():  # its offsets claim that there is nothing after the one that can be read
        boast = partial(with_number, number=number, at=COUNT_AT)
        yield _message(name, "boasts", topic, partial(_one, topic), DELIVERED, stored=boast)
    for name, record in _lying(_GOOD[topic]).items():
        yield _message(
            name,
            "lies",
            topic,
            partial(_placeholder_for, record),
            UNREADABLE,
            stored=partial(_with_records, records_section([record])),
        )


def _lying(value: bytes) -> Mapping[str, Record]:
    return {
        "a record that is longer than it is": Record(value=value, length=len(value) + 500),
        "a record that is shorter than it is": Record(value=value, length=3),
        "a record of fewer than no bytes": Record(value=value, length=-5),
        "a million headers that are not there": Record(value=value, lies=varint(1_000_000)),
        "fewer than no headers": Record(value=value, lies=varint(-2)),
        "a header's name of two gigabytes": Record(value=value, lies=varint(1) + varint(2**31 - 1)),
        "a header's name of fewer than no bytes": Record(value=value, lies=varint(1) + varint(-1)),
        "a header's value beyond the end": Record(value=value, lies=varint(1) + varint(1) + b"a" + varint(9_999)),
        "a number without an end": Record(value=value, lies=b"\xff" * 12),
        "bytes behind the headers": Record(value=value, lies=encoded_headers(()) + b"behind"),
    }


def _placeholder_for(record: Record) -> Batch:
    """Return a batch that the broker accepts, as long as one of that record."""
    return Batch(records=[Record(value=b"x" * (len(records_section([record])) - _frame_of(record)))])


def _frame_of(record: Record) -> int:
    """Return the bytes around the value of a record that is as long as the other."""
    wanted = len(records_section([record]))
    for value_bytes in range(wanted, 0, -1):
        if len(records_section([Record(value=b"x" * value_bytes)])) == wanted:
            return wanted - value_bytes
    raise ValueError("no record is as long as that")


def _with_records(records: bytes, batch: bytes) -> bytes:
    return checked_again(batch[:RECORDS_AT] + records)


def _with_codec(codec: int, batch: bytes) -> bytes:
    return checked_again(batch[: CHECKED_FROM + 1] + bytes([codec]) + batch[CHECKED_FROM + 2 :])


def _with_broken_packing(batch: bytes) -> bytes:
    """Write zeros over the second half of the compressed records."""
    half = (len(batch) + RECORDS_AT) // 2
    return checked_again(batch[:half] + bytes(len(batch) - half))


def _of_transactions(topic: Topic) -> Iterable[HostileMessage]:
    yield _message("20 messages, aborted", "transactions", topic, partial(_twenty, topic), UNSEEN, aborted=True)
    for name, mark, expected in (
        ("a mark that is not one of Kafka's", struct.pack(">hh", 0, 99), UNSEEN),
        ("a mark of an abortion that never began", struct.pack(">hh", 0, 0), UNSEEN),
        ("a mark without a type", b"\0", Expected(outcome=Outcome.HELD, reasons=UNREADABLE.reasons)),
    ):
        placeholder = partial(_placeholder_for, Record(value=bytes(6), key=mark))
        yield _message(name, "transactions", topic, placeholder, expected, stored=partial(_as_control, mark))


def _twenty(topic: Topic) -> Batch:
    return Batch(records=[_good(topic)] * 20)


def _as_control(key: bytes, batch: bytes) -> bytes:
    """Return a batch that is marked as a transaction marker."""
    marked = batch[: CHECKED_FROM + 1] + b"\x30" + batch[CHECKED_FROM + 2 : RECORDS_AT]
    return checked_again(marked + records_section([Record(value=bytes(6), key=key)]))


def _odd_times() -> Iterable[HostileMessage]:
    """Build messages with unexpected timestamps; events without a time fall back to them."""
    timeless = raw_bodies.event(timestamp="")
    times: Mapping[str, Batch] = {
        "no timestamp": Batch(records=[Record(value=timeless, key=KEY)]),
        "the timestamp 0": Batch(records=[Record(value=timeless, key=KEY)], first_timestamp=0),
        "a timestamp of 1970": Batch(records=[Record(value=timeless, key=KEY)], first_timestamp=_SECOND),
        "a timestamp of the year 2100": Batch(records=[Record(value=timeless, key=KEY)], first_timestamp=_LATE),
        "a timestamp of the year 250,000": Batch(
            records=[Record(value=timeless, key=KEY)], first_timestamp=7_826_000_000_000_000
        ),
        "the largest timestamp": Batch(records=[Record(value=timeless, key=KEY)], first_timestamp=2**63 - 1),
        "timestamps that go back": Batch(
            records=[Record(value=timeless, key=KEY, more_milliseconds=each) for each in (0, -1_000_000, 5)],
            first_timestamp=_LATE,
        ),
    }
    for name, batch in times.items():
        yield _message(name, "Kafka's times", Topic.RAW, always(batch), DELIVERED, seen=len(batch.records))


def _bombs(topic: Topic) -> Iterable[HostileMessage]:
    sizes = {Codec.ZSTD: GIGABYTE * 3 // 2, Codec.GZIP: GIGABYTE, Codec.LZ4: GIGABYTE, Codec.SNAPPY: GIGABYTE // 2}
    for codec, size in sizes.items():
        yield _message(
            f"{size / GIGABYTE:.1f} GB in a value, {codec.name.lower()}",
            "bombs",
            topic,
            partial(_bomb, codec, size),
            UNREADABLE,
            heavy=codec is not Codec.ZSTD,
        )
    yield _message(
        "snappy that says 4 GB",
        "bombs",
        topic,
        lambda: Batch(records=[Record(value=b"x" * 200)], codec=Codec.SNAPPY, packed=None),
        UNREADABLE,
        stored=_with_lying_snappy,
    )
    yield _message(
        "20,000 messages of nothing, zstd",
        "bombs",
        topic,
        lambda: Batch(records=[Record(value=None)] * _MANY, codec=Codec.ZSTD),
        DROPPED if topic is Topic.RAW else letter("tombstone"),
        heavy=True,
        seen=_MANY,
    )


def _bomb(codec: Codec, size: int) -> Batch:
    return Batch(records=(), count=1, codec=codec, packed=packed_zeros(codec, size))


def _with_lying_snappy(batch: bytes) -> bytes:
    lie = lying_snappy()
    return checked_again(batch[:RECORDS_AT] + lie + bytes(max(0, len(batch) - RECORDS_AT - len(lie))))
