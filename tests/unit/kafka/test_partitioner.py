from __future__ import annotations

from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.kafka.partitioner import murmur2, partition_for

# From Kafka's own UtilsTest.testMurmur2; Java prints signed ints.
JAVA_VECTORS: Final = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "java_hash"), JAVA_VECTORS.items())
def test_the_hash_equals_that_of_the_java_client(key: bytes, java_hash: int) -> None:
    assert murmur2(key) == java_hash % 2**32


def test_an_empty_key_has_a_hash_like_any_other() -> None:
    assert murmur2(b"") == 275646681


def _murmur2_byte_by_byte(key: bytes) -> int:
    """Follow Austin Appleby's MurmurHash2 one byte at a time."""
    h = 0x9747B28C ^ len(key)
    index = 0
    while len(key) - index >= 4:
        k = key[index] | key[index + 1] << 8 | key[index + 2] << 16 | key[index + 3] << 24
        k = k * 0x5BD1E995 % 2**32
        k ^= k // 2**24
        k = k * 0x5BD1E995 % 2**32
        h = h * 0x5BD1E995 % 2**32
        h ^= k
        index += 4
    left = len(key) - index
    if left >= 3:
        h ^= key[index + 2] << 16
    if left >= 2:
        h ^= key[index + 1] << 8
    if left >= 1:
        h ^= key[index]
        h = h * 0x5BD1E995 % 2**32
    h ^= h // 2**13
    h = h * 0x5BD1E995 % 2**32
    return h ^ h // 2**15


@given(st.binary(max_size=200))
@example(b"\xff" * 7)
def test_the_hash_equals_an_independent_formulation(key: bytes) -> None:
    assert murmur2(key) == _murmur2_byte_by_byte(key)


@given(key=st.binary(max_size=60), partitions=st.integers(min_value=1, max_value=1000))
def test_the_partition_is_one_of_the_topic_s(key: bytes, partitions: int) -> None:
    assert partition_for(key, partitions) == (_murmur2_byte_by_byte(key) & 0x7FFFFFFF) % partitions
    assert 0 <= partition_for(key, partitions) < partitions
