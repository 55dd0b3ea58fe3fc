from __future__ import annotations

import pytest

from pipeline.core.timestamps import Timestamp, event_time, iso_text, milliseconds_of

STORED = 1_767_225_660_500
STORED_TEXT = "2026-01-01T00:01:00.500Z"
TEXT = "2024-02-21T23:45:15.000Z"


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (1708559115, TEXT),
        (1708559115000, TEXT),
        (1708559115228, "2024-02-21T23:45:15.228Z"),
        (1708559115.228, "2024-02-21T23:45:15.228Z"),
        (1708559115228.0, "2024-02-21T23:45:15.228Z"),
        ("1708559115", TEXT),
        (" 1708559115 ", TEXT),
        ("1708559115228", "2024-02-21T23:45:15.228Z"),
        ("1708559115.228", "2024-02-21T23:45:15.228Z"),
        ("2024-02-21T23:45:15.228Z", "2024-02-21T23:45:15.228Z"),
        ("2024-02-21T23:45:15Z", TEXT),
        ("2024-02-21T23:45:15", TEXT),
        ("2024-02-22T00:45:15+01:00", TEXT),
        ("2024-02-21 23:45:15 UTC", TEXT),
        ("2024-02-21 23:45:15.228123 UTC", "2024-02-21T23:45:15.228Z"),
        ("2024-02-21", "2024-02-21T00:00:00.000Z"),
        ("20260101", "2026-01-01T00:00:00.000Z"),
        (20260101, "2026-01-01T00:00:00.000Z"),
        (20260101.0, "2026-01-01T00:00:00.000Z"),
        ("20260101T101500Z", "2026-01-01T10:15:00.000Z"),
        (1708559115228123, "2024-02-21T23:45:15.228Z"),
        ("1708559115228123", "2024-02-21T23:45:15.228Z"),
        (1708559115228123.0, "2024-02-21T23:45:15.228Z"),
        (253402300799999999, "9999-12-31T23:59:59.999Z"),
        (1708559115228123456, "2024-02-21T23:45:15.228Z"),
        (253402300799999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_timestamp_is_seconds_or_smaller_or_a_day_or_text(timestamp: Timestamp, expected: str) -> None:
    assert event_time(timestamp, None, STORED) == expected
    assert event_time(timestamp, "", STORED) == expected


@pytest.mark.parametrize(
    "timestamp",
    [
        None,
        "",
        "  ",
        0,
        -5,
        "0",
        "-5",
        1e300,
        10**30,
        1,
        "20261301",
        20261301,
        "19691231",
        "9" * 30,
        "1_000",
        "１７０８５５９１１５",  # noqa: RUF001 -- full-width digits are intended
        "yesterday",
        "x" * 100_000,
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2024-02-30T00:00:00Z",
    ],
)
def test_kafka_tells_the_time_where_the_event_does_not(timestamp: Timestamp) -> None:
    assert event_time(timestamp, None, STORED) == STORED_TEXT


def test_the_datetime_wins_for_its_milliseconds() -> None:
    assert event_time(1708559115, "2024-02-21T23:45:15.228Z", STORED) == "2024-02-21T23:45:15.228Z"


def test_a_datetime_that_differs_from_the_timestamp_still_wins() -> None:
    assert event_time(1708559115, "2024-02-21T22:00:00.5Z", STORED) == "2024-02-21T22:00:00.500Z"
    assert event_time(1708559115.0, "2024-02-21T22:00:00.500Z", STORED) == "2024-02-21T22:00:00.500Z"
    assert event_time(1708559115000, "2024-02-21T23:45:15.228Z", STORED) == "2024-02-21T23:45:15.228Z"


@pytest.mark.parametrize("datetime_text", ["soon", "2024-02-21T23:45:15.22²Z", "2024-02-21T23:45:61.228Z"])
def test_an_unreadable_datetime_leaves_the_timestamp(datetime_text: str) -> None:
    assert event_time(1708559115, datetime_text, STORED) == TEXT


def test_without_any_time_there_is_none() -> None:
    assert event_time(None, None, -1) is None


def test_milliseconds_have_three_digits() -> None:
    assert iso_text(1_767_225_600_007) == "2026-01-01T00:00:00.007Z"


@pytest.mark.parametrize("milliseconds", [1, 999, 1_000, 31_536_000_000, STORED, 253_402_300_799_999])
def test_the_milliseconds_of_a_text_are_those_that_it_was_written_from(milliseconds: int) -> None:
    assert milliseconds_of(iso_text(milliseconds)) == milliseconds
