from __future__ import annotations

import pytest

from pipeline.core.events import decode
from pipeline.core.ids import EmptyIds
from pipeline.kafka.partitioner import partition_for
from pipeline.processor.keying import Sample, judge
from tests.builders import encode, raw_event
from tests.fakes.stream import FakeMessage

PARTITIONS = 4
HOME = partition_for(b"u-1", PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS
KEYED = FakeMessage(offset=0, partition=HOME, key=b"u-1", value=encode(raw_event(external_id="u-1")))


def keyed(key: bytes, external_id: str = "u-1") -> FakeMessage:
    return FakeMessage(offset=0, partition=ELSEWHERE, key=key, value=encode(raw_event(external_id=external_id)))


@pytest.mark.parametrize(
    "key", [b"null", b"nan", b"(null)", b"[object Object]", b"{{ event.external_id }}", b"000", b"--", b" ", b'"null"']
)
def test_a_message_whose_key_is_an_empty_id_is_passed_over(key: bytes) -> None:
    assert judge([keyed(key)], PARTITIONS, decode) == Sample(0, 0)
    assert judge([keyed(key)] * 3 + [KEYED] * 97, PARTITIONS, decode) == Sample(97, 0)


@pytest.mark.parametrize("key", [b"u-2", b"null-island", b"guest", b"\xff", b"\xff\x00"])
def test_a_message_whose_key_is_another_user_s_is_misplaced(key: bytes) -> None:
    assert judge([keyed(key)], PARTITIONS, decode) == Sample(1, 1)
    assert judge([keyed(key)] * 3 + [KEYED] * 97, PARTITIONS, decode).objection is not None


@pytest.mark.parametrize("key", [b"", None])
def test_a_message_without_a_key_is_looked_at_as_before(key: bytes | None) -> None:
    message = FakeMessage(offset=0, partition=ELSEWHERE, key=key, value=encode(raw_event(external_id="u-1")))
    assert judge([message], PARTITIONS, decode) == Sample(1, 1)


def test_own_words_are_empty_as_keys_and_as_external_ids() -> None:
    own = EmptyIds(["guest"])
    assert judge([keyed(b"Guest")], PARTITIONS, decode, own) == Sample(0, 0)
    guest = raw_event(external_id="guest", subscription_id="s-1")
    home = partition_for(b"s-1", PARTITIONS)
    other = FakeMessage(offset=0, partition=(home + 1) % PARTITIONS, key=b"x", value=encode(guest))
    assert judge([other], PARTITIONS, decode, own) == Sample(1, 1)
    by_subscription = FakeMessage(offset=0, partition=home, key=b"x", value=encode(guest))
    assert judge([by_subscription], PARTITIONS, decode, own) == Sample(1, 0)


def test_an_event_whose_external_id_cannot_be_read_is_passed_over() -> None:
    body = b'{"event":{"kind":"message.push.sent","external_id":12345.5,"subscription_id":"s-1"}}'
    home = partition_for(b"s-1", PARTITIONS)
    message = FakeMessage(offset=0, partition=(home + 1) % PARTITIONS, key=b"12345.5", value=body)
    assert judge([message], PARTITIONS, decode) == Sample(0, 0)
