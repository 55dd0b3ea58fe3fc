from __future__ import annotations

from enum import StrEnum

from hypothesis import given
from hypothesis import strategies as st

from pipeline.kafka import headers
from pipeline.kafka.dead_letters import DeadLetter, Stage
from pipeline.kafka.letter_headers import MAX_HEADER_BYTES, letter_headers
from tests.fakes.stream import FakeMessage


class Why(StrEnum):
    NOT_JSON = "not_json"


WRITTEN = (headers.FORMAT_VERSION, headers.SOURCE_PARTITION, headers.SOURCE_OFFSET, headers.RULES_VERSION)
NAMES = st.sampled_from(WRITTEN) | st.text(max_size=30)
VALUES = (
    st.none()
    | st.binary(max_size=300)
    | st.from_regex(rb"[0-9]{0,30}", fullmatch=True)
    | st.from_regex(rb"[0-9a-f]{11,13}", fullmatch=True)
)
MESSAGES = st.builds(
    FakeMessage,
    offset=st.integers(0, 2**63 - 1),
    partition=st.integers(0, 2**31 - 1),
    topic=st.from_regex(r"[a-zA-Z0-9._-]{1,249}", fullmatch=True),
    timestamp=st.integers(-1, 2**63 - 1),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=12).map(tuple),
)


@given(MESSAGES, st.none() | st.text(max_size=700))
def test_whatever_a_message_has_its_letter_has_few_small_headers_of_our_own(
    message: FakeMessage, detail: str | None
) -> None:
    letter = DeadLetter(
        stage=Stage("processor"), destination="segment", reason=Why.NOT_JSON, message=message, detail=detail
    )
    found = letter_headers(letter, rejected_at=b"1700000000123")
    assert len({name for name, _ in found}) == len(found)
    assert sum(len(name) + len(value) for name, value in found) <= MAX_HEADER_BYTES
    for name, value in found:
        if name == headers.DETAIL:
            assert 0 < len(value) <= 200
            assert value.decode().isprintable()
        else:
            assert value.isascii()
            assert value.decode().isprintable()
    repeated = {name for name, _ in found if name.startswith(headers.SOURCE_HEADER_PREFIX)}
    assert repeated <= {headers.SOURCE_HEADER_PREFIX + name for name in WRITTEN}
    assert {(headers.SOURCE_HEADER_PREFIX + name, value) for name, value in message.headers} >= {
        each for each in found if each[0] in repeated
    }
