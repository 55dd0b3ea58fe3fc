"""Kafka's default partitioner: murmur2, equal byte for byte to the Java client's.

Source: `org.apache.kafka.common.utils.Utils.murmur2` and `BuiltInPartitioner.partitionForKey`.
"""

from __future__ import annotations

import struct

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_SHIFT = 24
_UINT32 = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF
_WORD_BYTES = 4


def murmur2(key: bytes) -> int:
    """Hash a key as Kafka does; the result is Java's int without its sign, 0 to 2**32 - 1."""
    length = len(key)
    words = length // _WORD_BYTES
    hashed = _SEED ^ length
    for word in struct.unpack_from(f"<{words}I", key):
        mixed = word * _MULTIPLIER & _UINT32
        mixed = (mixed ^ mixed >> _SHIFT) * _MULTIPLIER & _UINT32
        hashed = hashed * _MULTIPLIER & _UINT32 ^ mixed
    rest = key[words * _WORD_BYTES :]
    if rest:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _MULTIPLIER & _UINT32
    hashed = (hashed ^ hashed >> 13) * _MULTIPLIER & _UINT32
    return hashed ^ hashed >> 15


def partition_for(key: bytes, partitions: int) -> int:
    """Return the partition of a key by Kafka's default partitioner, in a topic with `partitions` partitions."""
    return (murmur2(key) & _POSITIVE) % partitions
