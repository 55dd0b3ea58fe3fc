from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog

from pipeline.delivery.holds import Holds, unknown_formats
from tests.fakes.segment import TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable

HOLDING, RESUMED = ("error", "sink holding"), ("info", "sink resumed")


def holds(wall_clock: Callable[[], float] = lambda: 7.0) -> Holds:
    return Holds(structlog.get_logger(), wall_clock=wall_clock)


def test_lanes_that_hold_for_the_same_reason_make_one_line() -> None:
    board = holds()
    with structlog.testing.capture_logs() as lines:
        for lane in (0, 1):
            board.update(lane, ("check the key",))
            board.update(lane, ("check the key",))
    assert lines == [{"log_level": "error", "event": "sink holding", "reason": "check the key"}]
    assert (board.reason, board.since) == ("check the key", 7.0)


def test_the_hold_is_over_when_the_last_lane_resumes() -> None:
    board = holds()
    with structlog.testing.capture_logs() as lines:
        board.update(0, ("check the key",))
        board.update(1, ("check the path",))
        board.update(0, ())
        board.update(1, ())
        board.update(1, ())
    assert [(line["log_level"], line["event"]) for line in lines] == [HOLDING, HOLDING, RESUMED]
    assert (board.reason, board.since) == (None, None)


def test_a_hold_is_as_old_as_its_first_reason() -> None:
    times = iter([5.0, 9.0])
    board = holds(lambda: next(times))
    board.update(0, ("check the key",))
    board.update(0, ("check the path",))
    assert (board.reason, board.since) == ("check the path", 5.0)


def test_a_reason_that_comes_back_is_logged_again() -> None:
    board = holds()
    with structlog.testing.capture_logs() as lines:
        for reasons in (("check the key",), (), ("check the key",)):
            board.update(0, reasons)
    assert [(line["log_level"], line["event"]) for line in lines] == [HOLDING, RESUMED, HOLDING]


def test_unknown_formats_are_told_by_version_with_their_partitions() -> None:
    reasons = unknown_formats({(TOPIC, 3): b"3", (TOPIC, 1): b"3", (TOPIC, 2): b"\xff" * 99})
    assert reasons[0] == (
        "records of format version '3' in partitions 1, 3: a newer processor wrote them, upgrade the sinks first"
    )
    assert reasons[1] == (
        "records with a format version that is not a number in partitions 2: they were not written by a processor: "
        "check who may write to the records topic"
    )
    assert len(reasons) == 2
    assert unknown_formats({}) == ()


@pytest.mark.parametrize("version", [b"", b"+49157000000", b"49157000000", b"ada@example.com", b"\xd9\xa3", b"1\n2"])
def test_a_version_in_anybodys_words_is_not_repeated(version: bytes) -> None:
    (reason,) = unknown_formats({(TOPIC, 0): version})
    assert reason.startswith("records with a format version that is not a number in partitions 0: ")


def test_records_in_avro_are_unknown_only_to_a_sink_without_a_registry_and_that_is_what_it_says() -> None:
    assert unknown_formats({(TOPIC, 3): b"2", (TOPIC, 1): b"2"}) == (
        "records in Avro in partitions 1, 3: this sink has no schema registry, set PIPELINE_SCHEMA_REGISTRY_URL",
    )
