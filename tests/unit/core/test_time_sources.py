from __future__ import annotations

import pytest

from pipeline.core.timestamps import TimeSource, Timestamp, event_time, own_time, stored_time, time_source

SECOND = 1_767_225_600
STORED = 1_767_225_660_500


@pytest.mark.parametrize(
    ("timestamp", "written", "stored", "source"),
    [
        (SECOND, "2026-01-01T00:00:00.120Z", STORED, TimeSource.DATETIME),
        (SECOND, "2026-01-01T05:00:00Z", STORED, TimeSource.DATETIME),
        (None, "2026-01-01T05:00:00", STORED, TimeSource.DATETIME),
        ("2026-01-01", "2026-01-01T05:00:00", STORED, TimeSource.DATETIME),
        (2024, "2026-01-01", -1, TimeSource.DATETIME),
        (SECOND, "2026-01-01T05:00:00", STORED, TimeSource.TIMESTAMP),
        (SECOND, "2026-01-01T00:00:00", STORED, TimeSource.TIMESTAMP),
        (SECOND, "soon", STORED, TimeSource.TIMESTAMP),
        (f"{SECOND}", None, -1, TimeSource.TIMESTAMP),
        (20260101, "", -1, TimeSource.TIMESTAMP),
        (SECOND, "2026-01-01T00:00:00.120", STORED, TimeSource.BOTH),
        (SECOND, "2026-01-01 00:00:00.120", -1, TimeSource.BOTH),
        (2024, "soon", STORED, TimeSource.KAFKA),
        (None, None, STORED, TimeSource.KAFKA),
        (None, None, -1, TimeSource.NONE),
        ("never", "", -1, TimeSource.NONE),
    ],
)
def test_the_source_of_the_time_is_that_of_the_time(
    timestamp: Timestamp, written: str | None, stored: int, source: TimeSource
) -> None:
    assert time_source(timestamp, written, stored) is source
    own = own_time(timestamp, written)
    assert (own is None) == (source in {TimeSource.KAFKA, TimeSource.NONE})
    assert event_time(timestamp, written, stored) == (own or stored_time(stored))
    assert (event_time(timestamp, written, stored) is None) == (source is TimeSource.NONE)


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59.999-01:00",
        "0001-01-01T00:00:00+01:00",
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "Mon, 01 Jan 0001 00:00:00 +0100",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thu, 01 Jan 2026 24:00:00 GMT",
        "Thu, 01 Jan 2026 00:00:60 GMT",
        "Thu, 01 Jan 2026 00:00:00 +2400",
        "Thu, 01 Jan 2026 00:00:00 +9999",
        "Thu, 01 Jan 2026 00:00:00 CET",
        "Thu, 01 Jan 2026 00:00:00",
        "Thursday, 01-Jan-26 00:00:00 GMT",
        "Thu, 01 Jan 2026 00:00:00 GMT, and more of it",
        "1e9e9",
        "1.e9",
        "-1e9",
        "1e999",
        "\u0661\u0667\u0666\u0667\u0662\u0662\u0665\u0666\u0660\u0660",
        "1e-99",
        "9999999999999999999",
        "0e0",
        "00000000",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert own_time(text, None) is None
    assert own_time(None, text) is None


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), -1, 0, 99_999_999, 1.5e8 - 1e8, 2**63, 10**400])
def test_a_number_that_is_no_time_is_none(number: float) -> None:
    assert own_time(number, None) is None


@pytest.mark.parametrize(
    ("number", "time"),
    [
        (100_000_000, "1973-03-03T09:46:40.000Z"),
        (100_000_000.5, "1973-03-03T09:46:40.500Z"),
        (19_700_102, "1970-01-02T00:00:00.000Z"),
        (99_991_231, "9999-12-31T00:00:00.000Z"),
        (253_402_300_800_000, "1978-01-11T21:31:40.800Z"),
        (253_402_300_800_000_000, "1978-01-11T21:31:40.800Z"),
        (2**63 - 2, "2262-04-11T23:47:16.854Z"),
    ],
)
def test_the_borders_between_units(number: float, time: str) -> None:
    assert own_time(number, None) == time
    assert own_time(str(number), None) == time
