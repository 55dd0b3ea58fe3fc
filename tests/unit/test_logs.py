from __future__ import annotations

import asyncio
import io
import logging
import re
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import structlog

from pipeline.core.visible import visible
from pipeline.logs import configure_logs
from tests.hostile.terminal import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("logs_put_back")


def _configured(
    level: str = "info", *, as_json: bool = True, clock: Callable[[], float] = time.monotonic
) -> io.StringIO:
    stream = io.StringIO()
    configure_logs(level, as_json=as_json, stream=stream, clock=clock)
    return stream


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_that_starts_with_time_level_and_message() -> None:
    stream = _configured()
    structlog.get_logger("pipeline.sinks").info("flushed", records=3, partition=1)
    (line,) = _lines(stream)
    assert list(line)[:4] == ["timestamp", "level", "logger", "message"]
    assert line | {"timestamp": ""} == {
        "timestamp": "",
        "level": "info",
        "logger": "pipeline.sinks",
        "message": "flushed",
        "records": 3,
        "partition": 1,
    }


def test_bound_fields_are_in_every_line_and_a_line_s_own_field_wins() -> None:
    stream = io.StringIO()
    configure_logs("info", as_json=True, everywhere={"role": "processor"}, stream=stream)
    structlog.get_logger("pipeline.stream").info("partitions assigned")
    structlog.get_logger("pipeline.bootstrap").info("role started", role="segment-sink")
    library = threading.Thread(target=lambda: logging.getLogger("aiokafka").error("lost"))
    library.start()
    library.join()
    assert [line["role"] for line in _lines(stream)] == ["processor", "segment-sink", "processor"]


def test_a_value_that_json_lacks_does_not_lose_the_line() -> None:
    stream = _configured()
    structlog.get_logger("x").info("odd", body=b"\xff", mapping={1: 2}, error=ValueError("no"))
    (line,) = _lines(stream)
    assert (line["body"], line["mapping"], line["error"]) == ("b'\\xff'", {"1": 2}, "ValueError('no')")


@pytest.mark.parametrize("library", ["faust", "aiokafka.consumer", "mode.worker", "aiohttp.client", "asyncio"])
def test_lines_of_libraries_take_the_same_form(library: str) -> None:
    stream = _configured()
    logging.getLogger(library).error("lost %s", "connection")
    (line,) = _lines(stream)
    assert (line["level"], line["logger"], line["message"]) == ("error", library, "lost connection")


def test_what_a_library_repeats_is_written_once_in_ten_seconds_with_a_count() -> None:
    seconds = 100.0
    stream = _configured(clock=lambda: seconds)
    log = logging.getLogger("aiokafka")
    for _ in range(500):
        log.error("Unable connect to node with id %s", 1)
    log.error("Topic %s not found", "raw")
    seconds = 110.0
    log.error("Unable connect to node with id %s", 1)
    seconds = 120.0
    log.error("Unable connect to node with id %s", 1)
    assert [(line["message"], line.get("repeated")) for line in _lines(stream)] == [
        ("Unable connect to node with id 1", None),
        ("Topic raw not found", None),
        ("Unable connect to node with id 1", 499),
        ("Unable connect to node with id 1", None),
    ]


@pytest.mark.parametrize("level", ["info", "debug"])
def test_our_own_lines_are_never_omitted(level: str) -> None:
    stream = _configured(level, clock=lambda: 0.0)
    for _ in range(3):
        structlog.get_logger("pipeline.stream").warning("same")
        logging.getLogger("aiokafka").warning("same")
    assert [line["logger"] for line in _lines(stream)].count("pipeline.stream") == 3
    assert [line["logger"] for line in _lines(stream)].count("aiokafka") == 1


def test_a_library_whose_messages_never_repeat_does_not_grow_the_memory_of_them() -> None:
    stream = _configured(clock=lambda: 0.0)
    for number in range(2_500):
        logging.getLogger("faust").warning(f"number {number}")  # noqa: G004 - a text without arguments is the point
    assert len(_lines(stream)) == 2_500
    *_, repeats = logging.getLogger().handlers[0].filters
    assert len(repeats._suppressed) <= 1_000  # type: ignore[union-attr]


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
@pytest.mark.parametrize(
    "library",
    ["faust.agents.agent", "aiokafka.conn", "mode.services", "asyncio", "aiohttp.access", "aiohttp.client", "rdkafka"],
)
def test_no_level_makes_a_library_tell_its_requests_with_their_secrets_and_bodies(library: str, level: str) -> None:
    stream = _configured(level)
    log = logging.getLogger(library)
    log.debug("Request 1: SaslAuthenticateRequest_v1(sasl_auth_bytes=b'\\x00user\\x00s3cr3t-pass')")
    log.setLevel(logging.DEBUG)  # as a library may do
    log.debug("Request 2: ProduceRequest_v8(key=b'u-1', value=b'{}')")
    log.setLevel(logging.NOTSET)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize(
    "library", ["faust", "aiokafka", "mode", "asyncio", "aiohttp.access", "confluent_kafka", "httpx2"]
)
def test_what_libraries_tell_in_passing_is_not_heard(library: str, level: str) -> None:
    stream = _configured(level)
    logging.getLogger(library).info("chatter")
    assert _lines(stream) == []


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_is_the_least_that_is_written(level: str, heard: list[str]) -> None:
    stream = _configured(level)
    log = structlog.get_logger("pipeline")
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    assert [line["level"] for line in _lines(stream)] == heard


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_shows_no_local_variables(as_json: bool) -> None:  # noqa: FBT001 pytest passes parameters by name
    stream = _configured(as_json=as_json)
    write_key = "k" * 32

    def send(key: str) -> None:
        raise RuntimeError(f"no luck with a key of {len(key)} characters")

    try:
        send(write_key)
    except RuntimeError:
        structlog.get_logger("pipeline").exception("crashed")
    assert "no luck" in stream.getvalue()
    assert "Traceback" in stream.getvalue()
    assert write_key not in stream.getvalue()


def test_a_python_warning_becomes_a_line() -> None:
    stream = _configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # catch_warnings has restored Python's own output, so the logs must capture warnings again.
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("careful", stacklevel=1)
        logging.captureWarnings(capture=False)
    (line,) = _lines(stream)
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")


async def test_what_asyncio_reports_becomes_a_line() -> None:
    stream = _configured()
    asyncio.get_running_loop().call_exception_handler({"message": "a task was lost"})
    (line,) = _lines(stream)
    assert (line["logger"], line["message"]) == ("asyncio", "a task was lost")


def test_the_console_form_is_plain_text_without_colours_off_a_terminal() -> None:
    stream = _configured(as_json=False)
    structlog.get_logger("pipeline").warning("holding", why="401")
    assert "holding" in stream.getvalue()
    assert "why=401" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_configuring_twice_writes_each_line_once() -> None:
    _configured()
    stream = _configured()
    structlog.get_logger("pipeline").info("once")
    assert len(_lines(stream)) == 1


def _hostile_lines(stream: io.StringIO) -> list[str]:
    return [line for line in stream.getvalue().split("\n") if line != visible(line)]


def _log_everything_hostile() -> None:
    log = structlog.get_logger("pipeline")
    log.warning(EVERYTHING, text=EVERYTHING, many=[EVERYTHING], error=ValueError(EVERYTHING), **{EVERYTHING: 1})
    logging.getLogger("aiokafka").error("%s", EVERYTHING)
    log.error("crashed", exc_info=RuntimeError(EVERYTHING), stack_info=True)


@pytest.mark.parametrize("as_json", [True, False])
def test_no_line_steers_a_terminal(as_json: bool) -> None:  # noqa: FBT001 pytest passes parameters by name
    stream = _configured(as_json=as_json)
    _log_everything_hostile()
    assert _hostile_lines(stream) == []
    assert "\\u001b]52" in stream.getvalue()


def test_escapes_in_json_change_nothing_of_what_is_read() -> None:
    stream = _configured()
    structlog.get_logger("pipeline").warning(EVERYTHING, text=EVERYTHING)
    (line,) = _lines(stream)
    assert (line["message"], line["text"]) == (EVERYTHING, EVERYTHING)


def test_on_a_terminal_colours_are_the_only_sequences() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    configure_logs("info", as_json=False, stream=stream)
    _log_everything_hostile()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert plain != stream.getvalue()
    assert [line for line in plain.split("\n") if line != visible(line)] == []


def test_no_line_of_a_traceback_can_be_taken_for_a_line_of_the_log() -> None:
    stream = _configured(as_json=False)
    error = RuntimeError("x\n2026-01-01T00:00:00Z [info     ] all is well")
    structlog.get_logger("pipeline").error("crashed", exc_info=error)
    first, *others = stream.getvalue().rstrip("\n").split("\n")
    assert "crashed" in first
    assert all(line.startswith("  ") for line in others)
    assert "  2026-01-01T00:00:00Z [info     ] all is well" in others


@pytest.mark.parametrize("value", ["\udcff", {"a": "\ud800"}, 2**64, -(2**70)], ids=repr)
def test_what_json_cannot_hold_does_not_lose_the_line(value: object) -> None:
    stream = _configured()
    structlog.get_logger("pipeline").warning("odd", value=value, level_of="x")
    (line,) = _lines(stream)
    assert (line["message"], line["level_of"]) == ("odd", "x")
    assert line["value"] == visible(str(value))
