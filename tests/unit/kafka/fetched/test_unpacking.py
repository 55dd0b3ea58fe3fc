from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, Any

import cramjam
import pytest
from aiokafka.codec import snappy_encode
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kafka.fetched.faults import BatchFaultError, TooLargeError
from pipeline.kafka.fetched.unpacking import Codec, unpack
from tests.fakes.batches import PACK

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1_000_000
JSON = b"".join(b'{"id":"%032d","type":"track","event":"Push Clicked"}' % each for each in range(2_000))
PACKED = [codec for codec in PACK if codec is not Codec.NONE]


def unpacked(codec: int, packed: bytes, *, most: int = MOST) -> tuple[bytes, int]:
    """Return the unpacked bytes, and the most that was allocated for them."""
    reserved = [0]
    found = unpack(codec, memoryview(packed), most=most, reserve=reserved.append, head=b"head", tail=3)
    assert (bytes(found[:4]), bytes(found[-3:])) == (b"head", bytes(3))
    return bytes(found[4:-3]), max(reserved)


def zstd_stream(data: bytes, chunk: int = 1_000) -> bytes:
    """Compress as Java's producers do: the frame declares no size."""
    compressor = cramjam.zstd.Compressor()
    for begin in range(0, len(data), chunk):
        compressor.compress(data[begin : begin + chunk])
    return bytes(compressor.finish())


def lz4_stream(data: bytes) -> bytes:
    compressor = cramjam.lz4.Compressor(content_checksum=True, block_linked=False)
    compressor.compress(data)
    return bytes(compressor.finish())


def raw_snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))


WAYS: list[tuple[Codec, Callable[[bytes], bytes]]] = [
    *((codec, PACK[codec]) for codec in PACKED),
    (Codec.ZSTD, zstd_stream),
    (Codec.LZ4, lz4_stream),
    (Codec.SNAPPY, raw_snappy),
]


@pytest.mark.parametrize(("codec", "pack"), WAYS)
@pytest.mark.parametrize("data", [b"x", JSON, bytes(300_000)])
def test_what_was_packed_comes_out_with_what_is_put_around_it(
    codec: Codec, pack: Callable[[bytes], bytes], data: bytes
) -> None:
    found, reserved = unpacked(codec, pack(data))
    assert found == data
    assert reserved <= MOST


@pytest.mark.parametrize(("codec", "pack"), WAYS)
def test_what_unpacks_to_more_than_is_allowed_is_refused_and_never_allocated(
    codec: Codec, pack: Callable[[bytes], bytes]
) -> None:
    reserved = [0]
    with pytest.raises(TooLargeError, match="PIPELINE_MAX_UNPACKED_BATCH_BYTES"):
        unpack(codec, memoryview(pack(bytes(20 * MOST))), most=MOST, reserve=reserved.append)
    assert max(reserved) <= MOST


@pytest.mark.parametrize(
    ("codec", "packed"),
    [
        (Codec.GZIP, gzip.compress(b"a" * 400_000) + gzip.compress(b"b" * 500)),
        (Codec.LZ4, PACK[Codec.LZ4](b"a" * 400_000) + PACK[Codec.LZ4](b"b" * 500)),
        (Codec.ZSTD, PACK[Codec.ZSTD](b"a" * 400_000) + PACK[Codec.ZSTD](b"b" * 500)),
        (Codec.ZSTD, struct.pack("<II", 0x184D2A50, 4) + b"skip" + zstd_stream(b"a" * 400_000 + b"b" * 500)),
    ],
)
def test_several_frames_are_one_batch(codec: Codec, packed: bytes) -> None:
    assert unpacked(codec, packed)[0] == b"a" * 400_000 + b"b" * 500


def test_frames_that_are_small_one_by_one_are_bounded_together() -> None:
    frame = PACK[Codec.ZSTD](bytes(MOST // 4))
    with pytest.raises(TooLargeError):
        unpacked(Codec.ZSTD, frame * 5)
    with pytest.raises(TooLargeError):
        unpacked(Codec.GZIP, gzip.compress(bytes(MOST // 4)) * 5)
    with pytest.raises(TooLargeError):
        unpacked(Codec.LZ4, PACK[Codec.LZ4](bytes(MOST // 4)) * 5)


def test_a_gzip_that_declares_too_little_is_read_and_one_that_declares_too_much_allocates_no_more() -> None:
    packed = gzip.compress(JSON)
    for declared in (0, 10, len(JSON) // 2):
        with pytest.raises(BatchFaultError):
            unpacked(Codec.GZIP, packed[:-4] + struct.pack("<I", declared))
    with pytest.raises(BatchFaultError):
        unpacked(Codec.GZIP, packed[:-4] + b"\xff" * 4)


def test_a_snappy_that_declares_gigabytes_allocates_none_of_them() -> None:
    with pytest.raises(TooLargeError):
        unpacked(Codec.SNAPPY, b"\xff\xff\xff\xff\x0f" + b"\x00" * 20)
    block = b"\xff\xff\xff\xff\x0f" + b"\x00" * 20
    xerial = snappy_encode(b"")[:16] + struct.pack(">I", len(block)) + block
    with pytest.raises(TooLargeError):
        unpacked(Codec.SNAPPY, xerial)


def test_a_window_of_zstd_counts_as_memory() -> None:
    packed = bytearray(zstd_stream(JSON))
    assert packed[4] >> 5 & 1 == 0, "a frame that declares its window"
    packed[5] = 17 << 3  # 128 MB; the decoder uses no more of such a window than there is data
    assert unpacked(Codec.ZSTD, bytes(packed))[0] == JSON
    with pytest.raises(TooLargeError):
        unpacked(Codec.ZSTD, PACK[Codec.ZSTD](bytes(MOST * 6 // 10)))


@pytest.mark.parametrize("codec", PACKED)
def test_damaged_bytes_are_a_fault_of_the_batch(codec: Codec) -> None:
    packed = PACK[codec](JSON)
    for damaged in (b"\x80", packed[:7], packed[: len(packed) // 2], b"\xff" * 60, packed[3:]):
        with pytest.raises(BatchFaultError):
            unpacked(codec, damaged)


@pytest.mark.parametrize("codec", [5, 6, 7, Codec.NONE])
def test_a_codec_that_does_not_exist_is_a_fault_of_the_batch(codec: int) -> None:
    with pytest.raises(BatchFaultError):
        unpacked(codec, b"whatever it may be")


def test_memory_that_is_not_there_is_asked_for_before_it_is_allocated() -> None:
    def refuse(_size: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        unpack(Codec.ZSTD, memoryview(PACK[Codec.ZSTD](JSON)), most=MOST, reserve=refuse)


@given(data=st.data(), codec=st.sampled_from(PACKED))
def test_no_bytes_do_more_than_be_a_fault(data: Any, codec: Codec) -> None:
    packed = bytearray(PACK[codec](JSON[:2_000]))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(packed)))
    try:
        _, reserved = unpacked(codec, bytes(packed[:cut]))
    except BatchFaultError:
        return
    assert reserved <= MOST
