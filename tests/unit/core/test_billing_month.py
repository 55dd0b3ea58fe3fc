from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.core.billing_month import EPOCH, MILLISECONDS_A_DAY, BillingMonth

HOUR_MS = 3_600_000


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def first_day(text: str, start_day: int = 1) -> str:
    return str(date.fromordinal(EPOCH + BillingMonth(start_day).first_day(at(text))))


@pytest.mark.parametrize(
    ("time", "start_day", "expected"),
    [
        ("2026-11-25T13:00", 1, "2026-11-01"),
        ("2026-11-01T00:00:00.000", 1, "2026-11-01"),
        ("2026-10-31T23:59:59.999", 1, "2026-10-01"),
        ("2026-11-15T00:00", 15, "2026-11-15"),
        ("2026-11-14T23:59:59.999", 15, "2026-10-15"),
        ("2026-01-14T12:00", 15, "2025-12-15"),
        ("2026-01-15T00:00", 15, "2026-01-15"),
        ("2026-02-28T00:00", 28, "2026-02-28"),
        ("2026-03-01T00:00", 28, "2026-02-28"),
        ("2024-02-29T12:00", 1, "2024-02-01"),
    ],
)
def test_a_time_is_in_the_month_that_began_last(time: str, start_day: int, expected: str) -> None:
    assert first_day(time, start_day) == expected


@pytest.mark.parametrize("start_day", range(1, 29))
def test_every_day_of_four_years_is_in_one_month_and_months_follow_one_another(start_day: int) -> None:
    month = BillingMonth(start_day)
    day = date(2023, 12, 1)
    began = month.first_day(at(str(day)))
    while day < date(2028, 1, 2):
        number = day.toordinal() - EPOCH
        if day.day == start_day:
            began = number
        hours = (number * MILLISECONDS_A_DAY, number * MILLISECONDS_A_DAY + 23 * HOUR_MS)
        assert {month.first_day(time) for time in hours} == {began}
        day += timedelta(days=1)


def test_any_number_is_in_some_month() -> None:
    month = BillingMonth()
    assert month.first_day(-1) == month.first_day(-(10**18)) == 0
    assert month.first_day(10**18) == date(9999, 12, 1).toordinal() - EPOCH
    assert BillingMonth(15).first_day(0) == date(1969, 12, 15).toordinal() - EPOCH


@pytest.mark.parametrize("start_day", [-1, 0, 29, 31])
def test_a_month_begins_on_a_day_that_every_month_has(start_day: int) -> None:
    with pytest.raises(ValueError, match="1 to 28"):
        BillingMonth(start_day)
