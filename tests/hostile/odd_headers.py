"""Hostile headers and keys, which messages of both topics can have."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.headers import AVRO_RECORD_FORMAT, FORMAT_VERSION, RECORD_FORMAT, SOURCE_OFFSET, SOURCE_PARTITION
from tests.hostile import raw_bodies, record_bodies
from tests.hostile.batches import Batch, Codec, Record, encoded_headers, varint
from tests.hostile.messages import DELIVERED, HostileMessage, Topic, always, held, of_record
from tests.integration.test_planted_secrets import EMAIL, EXTERNAL_ID, PHONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.hostile.batches import Headers

VERSION: Final = FORMAT_VERSION.encode()
UNKNOWN_FORMAT: Final = held(HoldReason.UNKNOWN_FORMAT)
KEY: Final = f"{EXTERNAL_ID}-hostile".encode()
_GOOD: Final = {Topic.RAW: raw_bodies.GOOD, Topic.RECORDS: record_bodies.GOOD}
_LONG: Final = 30_000
_HALF_A_MEGABYTE: Final = 500_000
_MANY: Final = 15_000_000

FOREIGN: Final[Mapping[str, Headers]] = {
    "a name that is not UTF-8": ((b"caf\xe9", b"x"),),
    "a name that is half a letter": ((b"\xc3", None),),
    "a name that is an address and not UTF-8": ((EMAIL.encode() + b"\xff", EMAIL.encode()),),
    "a name of all bytes": ((bytes(range(256)), bytes(range(256))),),
    "a name that is a surrogate": ((b"\xed\xa0\x80", b""),),
    "a name in UTF-16": (("name".encode("utf-16"), b""),),
    "good names around one that is not UTF-8": ((b"a", b"1"), (b"\xfe\xff", b"2"), (b"b", b"3")),
    "an empty name": ((b"", b"x"),),
    "an empty name without a value": ((b"", None),),
    "a name with a NUL": ((b"a\0b", b"\0"),),
    "a name with a line break": ((b"a\nlevel=error", b"\n"),),
    "a name of 30,000 letters": ((b"n" * _LONG, b""),),
    "a value of half a megabyte": ((b"x", b"v" * _HALF_A_MEGABYTE),),
    "5,000 headers": tuple((b"h%d" % each, b"v") for each in range(5_000)),
    "5,000 headers of one name": ((b"h", None),) * 5_000,
    "5,000 headers that are not UTF-8": ((b"\xff", b"v"),) * 5_000,
    "tracing": ((b"traceparent", b"00-0-0-01"), (b"b3", b"0"), (b"__TypeId__", b"com.example.Event")),
    "the pipeline's own, with lies": (
        (b"rules-version", b"\x1b[2J"),
        (b"stage", EMAIL.encode()),
        (b"reason", b"none"),
        (b"rejected-at", b"never"),
    ),
}
VERSIONS: Final[Mapping[str, Headers]] = {
    "a version without a value": ((VERSION, None),),
    "a version without a value, then a good one": ((VERSION, None), (VERSION, RECORD_FORMAT)),
    "a good version behind another name": ((b"a", b"b"), (VERSION, RECORD_FORMAT)),
    "a good version behind one that is not UTF-8": ((b"\xff", b"b"), (VERSION, RECORD_FORMAT)),
    "a good version twice": ((VERSION, RECORD_FORMAT),) * 2,
    "a version in capitals": ((VERSION.upper(), b"99"),),
}
UNKNOWN_VERSIONS: Final[Mapping[str, Headers]] = {
    "an empty version": ((VERSION, b""),),
    "a version of tomorrow": ((VERSION, b"99"),),
    "a version with a blank": ((VERSION, b" 1"),),
    "a version with a NUL": ((VERSION, b"1\0"),),
    "a version in full-width digits": ((VERSION, "\uff11".encode()),),
    "a version of half a megabyte": ((VERSION, b"1" * _HALF_A_MEGABYTE),),
    "a version that is an address": ((VERSION, EMAIL.encode()),),
    "a version that is a phone number": ((VERSION, PHONE.encode()),),
    "a version that is not UTF-8": ((VERSION, b"\xff\xfe"),),
    "a version of Avro without a registry": ((VERSION, AVRO_RECORD_FORMAT),),
}
KEYS: Final[Mapping[str, bytes | None]] = {
    "no key": None,
    "an empty key": b"",
    "a key that is not UTF-8": b"\xff\xfe",
    "a key of half a megabyte": b"k" * _HALF_A_MEGABYTE,
    "a key with NULs": b"\0" * 10,
    "a key with a line break": b"u\n[2J",
    "the key of another user": f"{EXTERNAL_ID}-another".encode(),
}


def odd_headers() -> Iterable[HostileMessage]:
    """Build the messages of both topics. The raw topic has no format versions, so none of them matters there."""
    for topic in Topic:
        known = {**FOREIGN, **VERSIONS, **(UNKNOWN_VERSIONS if topic is Topic.RAW else {})}
        for name, headers in known.items():
            record = Record(value=_GOOD[topic], key=KEY, headers=headers)
            yield of_record(name, f"headers, {topic}", topic, record, DELIVERED)
        for name, key in KEYS.items():
            yield of_record(name, f"keys, {topic}", topic, Record(value=_GOOD[topic], key=key), DELIVERED)
    for name, headers in UNKNOWN_VERSIONS.items():
        record = Record(value=record_bodies.GOOD, key=KEY, headers=headers)
        yield of_record(name, "unknown versions", Topic.RECORDS, record, UNKNOWN_FORMAT)
    lies = ((VERSION, RECORD_FORMAT), (SOURCE_PARTITION.encode(), b"-1"), (SOURCE_OFFSET.encode(), b"x" * 1_000))
    lying = Record(value=record_bodies.GOOD, key=KEY, headers=lies)
    yield of_record("a source that is none", "headers, records", Topic.RECORDS, lying, DELIVERED)
    yield from _many_of_many()


def _many_of_many() -> Iterable[HostileMessage]:
    """Build ten thousand headers in each of 500 messages, and a million in one, compressed so that they are small."""
    for topic in Topic:
        many = Record(value=_GOOD[topic], key=KEY, headers=((b"h", b"v"),) * 5_000)
        million = Record(value=_GOOD[topic], key=KEY, headers=((b"", None),) * 1_000_000)
        yield HostileMessage(
            name="500 messages of 5,000 headers",
            sort=f"headers, {topic}",
            topic=topic,
            batch=always(Batch(records=[many] * 500, codec=Codec.ZSTD)),
            expected=DELIVERED,
            heavy=True,
            seen=500,
        )
        yield HostileMessage(
            name="a million headers",
            sort=f"headers, {topic}",
            topic=topic,
            batch=always(Batch(records=[million], codec=Codec.ZSTD)),
            expected=DELIVERED,
            heavy=True,
        )
        yield HostileMessage(
            name="15 million headers",
            sort=f"bombs, {topic}",
            topic=topic,
            batch=partial(_bomb_of_headers, _GOOD[topic]),
            expected=DELIVERED,
            heavy=True,
        )


def _bomb_of_headers(value: bytes) -> Batch:
    """Return a message of 30 MB of headers without name and value: as objects they would be more than a gigabyte."""
    lies = varint(_MANY) + encoded_headers(((b"", None),))[1:] * _MANY
    return Batch(records=[Record(value=value, key=KEY, lies=lies)], codec=Codec.ZSTD)
