from __future__ import annotations

import io
from pathlib import Path

import orjson
import pytest

from pipeline.core.events import Event, decode
from pipeline.tools.what_if import lines
from pipeline.tools.what_if.lines import LinesSource, UnusableLinesError, message_of
from tests.builders import BodyShape, encode, raw_event

BODY = encode(raw_event())


@pytest.mark.parametrize("shape", BodyShape)
def test_an_event_by_itself_is_the_message(shape: BodyShape) -> None:
    body = encode(raw_event(), shape)
    message = message_of(body, 7)
    assert (message.value, message.offset, message.timestamp) == (body, 7, -1)


@pytest.mark.parametrize("names", [("timestamp", "value"), ("ts", "payload")])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_message_around_an_event_gives_its_value_and_time(names: tuple[str, str], *, as_text: bool) -> None:
    value = BODY.decode() if as_text else orjson.loads(BODY)
    message = message_of(orjson.dumps({"key": "u-1", names[0]: 1_767_225_600_000, names[1]: value}), 0)
    assert message.timestamp == 1_767_225_600_000
    assert message.value is not None
    assert isinstance(decode(message.value), Event)


def test_a_value_of_null_is_a_message_without_a_body() -> None:
    assert message_of(b'{"key":"u-1","value":null}', 0).value is None


@pytest.mark.parametrize("told", ["1767225600000", True, 1.5, None])
def test_a_time_that_is_no_whole_number_is_not_one(told: object) -> None:
    assert message_of(orjson.dumps({"timestamp": told, "value": {}}), 0).timestamp == -1


@pytest.mark.parametrize(
    "line", [b"nonsense", b"\xff\xfe", b"[]", b"{" * 5000, b'"text"', b'{"value":', b'{"value":"\xff\xfe"}']
)
def test_what_is_no_message_is_left_to_the_decoder(line: bytes) -> None:
    assert message_of(line, 0).value == line


def test_an_event_that_has_a_field_called_value_is_an_event() -> None:
    body = orjson.dumps({**raw_event(), "value": 5})
    assert message_of(body, 0).value == body


async def test_blank_lines_are_left_out_and_every_byte_is_counted() -> None:
    written = b"\n".join([BODY, b"", b"  ", BODY]) + b"\n"
    source = LinesSource(io.BytesIO(written), title="a file", total=len(written))
    batches = [batch async for batch in source.batches()]
    assert [[message.offset for message in batch] for batch in batches] == [[0, 3]]
    assert source.done == source.total


class Counted(io.BytesIO):
    """A file that counts the bytes read from it."""

    taken = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self.taken += len(line)
        return line


async def test_a_line_without_an_end_is_read_no_further_than_a_message_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "MOST_LINE_BYTES", 1_000)
    file = Counted(b"{}\n" + b"\0" * 1_000_000)
    with pytest.raises(UnusableLinesError, match=r"^line 2 has more than 1,000 bytes$"):
        _ = [batch async for batch in LinesSource(file, title="a file", total=None).batches()]
    assert file.taken == 1_004


async def test_a_batch_of_long_lines_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_LINE_BYTES", 1_000)
    file = io.BytesIO((b"x" * 600 + b"\n") * 10)
    sizes = [len(batch) async for batch in LinesSource(file, title="a file", total=None).batches()]
    assert sizes == [2] * 5


async def test_a_file_that_cannot_be_read_on_is_a_mistake() -> None:
    unreadable = pytest.raises(UnusableLinesError, match=r"^it cannot be read: ")
    with Path("/proc/self/mem").open("rb") as file, unreadable:  # noqa: ASYNC230 -- nothing else runs
        _ = [batch async for batch in LinesSource(file, title="a file", total=None).batches()]
