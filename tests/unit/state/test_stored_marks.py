from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.state.stored_marks import FORMAT_VERSION, MARK_KEY_LENGTH, ForeignStateError, MarkCodec
from pipeline.state.tracked_users import UserHasher, packed_mark
from pipeline.state.user_sketch import UserSketch

if TYPE_CHECKING:
    from collections.abc import Callable

OURS, THEIRS = UserHasher("a secret that is long enough"), UserHasher("another secret, as long as that")
USER = OURS.hash_of(b"u-1001")
MONTH = 20_758


def codec(hasher: UserHasher = OURS, epoch: bytes = b"raw1") -> MarkCodec:
    return MarkCodec(fingerprint=hasher.fingerprint, epoch=epoch, topic="onesignal.tracked-users")


def test_the_bytes_of_a_mark_are_fixed() -> None:
    known = MarkCodec(fingerprint=b"\xaa\xbb\xcc\xdd", epoch=b"\x01\x02\x03\x04", topic="t")
    assert known.mark_key(0x0102030405060708, 0x5116) == bytes.fromhex("0102030405060708 5116")
    assert known.mark_value(41) == bytes.fromhex("01 aabbccdd 01020304 000000000000002a")
    assert known.mark_value(-1) == bytes.fromhex("01 aabbccdd 01020304 0000000000000000")


def test_the_bytes_of_a_sketch_are_fixed() -> None:
    known = MarkCodec(fingerprint=b"\xaa\xbb\xcc\xdd", epoch=b"\x01\x02\x03\x04", topic="t")
    assert known.sketch_key("delivery", 0x5116) == b"sketch\x51\x16delivery"
    assert known.sketch_value(UserSketch([7, 5], 256)) == bytes.fromhex(
        "01 aabbccdd 01020304 00000000000000ff 0000000000000005 0000000000000007"
    )
    assert len(known.sketch_key("delivery", 0x5116)) != MARK_KEY_LENGTH


def test_the_hash_of_a_user_is_fixed_by_the_secret() -> None:
    assert USER == OURS.hash_of(b"u-1001") != THEIRS.hash_of(b"u-1001")
    assert OURS.fingerprint != THEIRS.fingerprint
    assert (f"{USER:016x}", OURS.fingerprint.hex()) == ("b174a132ad36cc92", "58dc7ea2"), "or stored marks are lost"


def newer(value: bytes) -> bytes:
    return bytes([FORMAT_VERSION + 1]) + value[1:]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda _: codec(THEIRS).mark_value(7), "was written with another PIPELINE_TRACKED_USERS_SECRET: set that one"),
        (newer, "holds messages of format 2, which another version of this program wrote"),
        (lambda value: value[:8], "holds messages that are not tracked users"),
        (lambda _: b"", "holds messages that are not tracked users"),
        (lambda value: value[:-1], "holds messages that are not marks"),
        (lambda value: value + b"1", "holds messages that are not marks"),
        (lambda _: b'{"event": "Push Sent"}', "holds messages of format 123"),
    ],
)
def test_what_is_not_ours_is_refused_with_what_to_do(spoil: Callable[[bytes], bytes], told: str) -> None:
    key, value = codec().mark_key(USER, MONTH), codec().mark_value(7)
    with pytest.raises(ForeignStateError, match=r"^topic `onesignal\.tracked-users` ") as refusal:
        codec().read_mark(key, spoil(value))
    assert told in str(refusal.value)
    assert "name a" in str(refusal.value)
    assert "PIPELINE_TRACKED_USERS_" in str(refusal.value)


def test_a_mark_of_a_former_raw_topic_was_made_before_this_log() -> None:
    key, value = codec().mark_key(USER, MONTH), codec().mark_value(7)
    assert codec().read_mark(key, value) == packed_mark(key[:8], 7)
    assert codec(epoch=b"raw2").read_mark(key, value) == packed_mark(key[:8], -1)


def test_a_secret_is_refused_before_the_epoch_is_looked_at() -> None:
    with pytest.raises(ForeignStateError, match="another PIPELINE_TRACKED_USERS_SECRET"):
        codec().read_mark(b"k" * 10, codec(THEIRS, epoch=b"raw2").mark_value(7))


@pytest.mark.parametrize(
    ("key", "spoil", "told"),
    [
        (b"sketch\x51\x16delivery", newer, "format 2"),
        (b"sketch\x51\x16delivery", lambda _: codec(THEIRS).sketch_value(UserSketch()), "with another"),
        (b"sketch\x51\x16delivery", lambda value: value + b"1", "neither marks nor sketches"),
        (b"sketch\x51\x16delivery", lambda value: value[:12], "neither marks nor sketches"),
        (b"sketch\x51\x16delivery", lambda _: b"", "not tracked users"),
        (b"u-1001", lambda value: value, "neither marks nor sketches"),
    ],
)
def test_a_sketch_that_is_not_ours_is_refused(key: bytes, spoil: Callable[[bytes], bytes], told: str) -> None:
    value = codec().sketch_value(UserSketch([1, 2]))
    with pytest.raises(ForeignStateError, match=told):
        codec().read_sketch(key, spoil(value))
