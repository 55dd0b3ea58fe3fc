"""Times as templates and exports write them."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pipeline.core.outcomes import Deliver
from pipeline.core.timestamps import iso_text, own_time
from tests.body_forms import FLAT_FORMS, LITERAL, BodyForm, encoded, outcome_of, record_of
from tests.builders import raw_event

KAFKA: Final = "2026-01-01T00:01:00.500Z"
MIDNIGHT: Final = "2026-01-01T00:00:00.000Z"
SECOND: Final = 1_767_225_600
READ_NOW: Final = (
    ("1.76722560012E9", "2026-01-01T00:00:00.120Z"),
    ("1.767225600e9", MIDNIGHT),
    ("1.7672256e+09", MIDNIGHT),
    ("1.76722560012E12", "2026-01-01T00:00:00.120Z"),
    (" 1.76722560012E9 ", "2026-01-01T00:00:00.120Z"),
    ("1767225600120000000", "2026-01-01T00:00:00.120Z"),
    ("1767225600120999999", "2026-01-01T00:00:00.120Z"),
    ("1.767225600121E18", "2026-01-01T00:00:00.121Z"),
    ("1767225600121E6", "2026-01-01T00:00:00.121Z"),
    ("1767225600.121E9", "2026-01-01T00:00:00.121Z"),
    ("1767225600121000000.0", "2026-01-01T00:00:00.121Z"),
    ("1.767225600121999999E18", "2026-01-01T00:00:00.121Z"),
    ("1.7672256001214567890123E9", "2026-01-01T00:00:00.121Z"),
    (1.767225600121e18, "2026-01-01T00:00:00.121Z"),
    (1767225600120000000, "2026-01-01T00:00:00.120Z"),
    (1767225600120999999, "2026-01-01T00:00:00.120Z"),
    ("Thu, 01 Jan 2026 00:00:00 GMT", MIDNIGHT),
    ("thu, 1 jan 2026 00:00:00 gmt", MIDNIGHT),
    ("01 Jan 2026 00:00:00 GMT", MIDNIGHT),
    ("Thu, 01 Jan 2026 01:00:00 +0100", MIDNIGHT),
    ("Wed, 31 Dec 2025 19:00:00 -0500", MIDNIGHT),
)
NO_TIMES: Final = (
    2024,
    "2024",
    1708559,
    "1708559",
    1,
    99_999_999,
    "99999999",
    20_261_301,
    1767225.6,
    "1e5",
    "Thu, 32 Jan 2026 00:00:00 GMT",
    "Thu, 01 Foo 2026 00:00:00 GMT",
    2**63 - 1,
    str(2**63 - 1),
    "1e400",
    "1e99",
)
forms = pytest.mark.parametrize("form", BodyForm)


def timed(value: bytes, form: BodyForm) -> tuple[str | None, bool]:
    found = outcome_of(value, form)
    assert isinstance(found, Deliver)
    return record_of(found).get("timestamp"), found.is_timed


@forms
@pytest.mark.parametrize(("timestamp", "time"), READ_NOW)
def test_a_timestamp_is_read(timestamp: object, time: str, form: BodyForm) -> None:
    assert timed(encoded(raw_event(timestamp=timestamp, datetime=None), form), form) == (time, True)


@forms
@pytest.mark.parametrize(("written", "time"), [each for each in READ_NOW if isinstance(each[0], str)])
def test_a_datetime_is_read_as_a_timestamp_is(written: str, time: str, form: BodyForm) -> None:
    assert timed(encoded(raw_event(timestamp=None, datetime=written), form), form) == (time, True)


@pytest.mark.parametrize("form", [form for form in BodyForm if form is not BodyForm.AVRO])
@pytest.mark.parametrize("literal", ["1.76722560012E9", "1767225600120000000", "1.76722560012e+18"])
def test_a_number_is_read_however_it_is_written(literal: str, form: BodyForm) -> None:
    value = encoded(raw_event(timestamp=LITERAL, datetime=None), form, literal=literal)
    assert timed(value, form) == ("2026-01-01T00:00:00.120Z", True)


@pytest.mark.parametrize("milliseconds", range(SECOND * 1000, SECOND * 1000 + 100_000, 37))
def test_nanoseconds_keep_their_millisecond_however_they_are_written(milliseconds: int) -> None:
    digits = str(milliseconds)
    for written in (
        f"{digits}000000",
        f"{digits}E6",
        f"{digits[0]}.{digits[1:]}E18",
        float(f"{digits}e6"),
        f"{digits}e6",
    ):
        assert own_time(written, None) == iso_text(milliseconds), written


@forms
@pytest.mark.parametrize("timestamp", NO_TIMES)
def test_what_is_no_time_gets_that_of_kafka_and_is_counted(timestamp: object, form: BodyForm) -> None:
    assert timed(encoded(raw_event(timestamp=timestamp, datetime=None), form), form) == (KAFKA, False)


@forms
@pytest.mark.parametrize("timestamp", [20260101, "20260101", "2026-01-01", "2026-01-01T00:00:00Z", SECOND, f"{SECOND}"])
def test_what_was_read_is_read_as_before(timestamp: object, form: BodyForm) -> None:
    assert timed(encoded(raw_event(timestamp=timestamp, datetime=None), form), form) == (MIDNIGHT, True)


@forms
@pytest.mark.parametrize(
    ("timestamp", "written", "time"),
    [
        (SECOND, "2026-01-01T01:00:00", MIDNIGHT),
        (SECOND, "2026-01-01 01:00:00.120", MIDNIGHT),
        (SECOND, "2025-12-31", MIDNIGHT),
        (SECOND, "2026-01-02", MIDNIGHT),
        (SECOND + 3600, "2026-01-01", "2026-01-01T01:00:00.000Z"),
        (SECOND + 3600, "20260101", "2026-01-01T01:00:00.000Z"),
        (f"{SECOND}", "2026-01-01T09:00:00.5", MIDNIGHT),
        ("1.7672256E9", "2026-01-01T09:00:00", MIDNIGHT),
        (SECOND * 1000 + 120, "2026-01-01T09:00:00", "2026-01-01T00:00:00.120Z"),
        (SECOND * 10**9, "2026-01-01T09:00:00", MIDNIGHT),
        ("2026-01-01T01:00:00+01:00", "2026-01-01T01:00:00", MIDNIGHT),
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00", MIDNIGHT),
        ("Thu, 01 Jan 2026 00:00:00 GMT", "2026-01-01T01:00:00", MIDNIGHT),
    ],
)
def test_a_datetime_without_a_zone_yields_to_a_timestamp_that_is_an_instant(
    timestamp: object, written: str, time: str, form: BodyForm
) -> None:
    assert timed(encoded(raw_event(timestamp=timestamp, datetime=written), form), form) == (time, True)


@forms
@pytest.mark.parametrize(
    ("timestamp", "written", "time"),
    [
        (SECOND, "2026-01-01T00:00:00.120", "2026-01-01T00:00:00.120Z"),
        (SECOND, "2026-01-01 00:00:00.999", "2026-01-01T00:00:00.999Z"),
        (f"{SECOND}", "2026-01-01T00:00:00.5", "2026-01-01T00:00:00.500Z"),
        ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.120", "2026-01-01T00:00:00.120Z"),
        (SECOND + 3600, "2026-01-01T01:00:00.120Z", "2026-01-01T01:00:00.120Z"),
        (SECOND, "2026-01-01T01:00:00.120+01:00", "2026-01-01T00:00:00.120Z"),
        (SECOND, "2026-01-01T05:00:00Z", "2026-01-01T05:00:00.000Z"),
        (SECOND, "2026-01-01 05:00:00 UTC", "2026-01-01T05:00:00.000Z"),
        ("2026-01-01T00:00:00", "2026-01-01T05:00:00", "2026-01-01T05:00:00.000Z"),
        ("2026-01-01", "2026-01-01T05:00:00", "2026-01-01T05:00:00.000Z"),
        (20260101, "2026-01-01T05:00:00", "2026-01-01T05:00:00.000Z"),
        (None, "2026-01-01T05:00:00", "2026-01-01T05:00:00.000Z"),
        (2024, "2026-01-01T05:00:00", "2026-01-01T05:00:00.000Z"),
        (None, "2026-01-01", MIDNIGHT),
    ],
)
def test_elsewhere_the_datetime_wins_as_before(timestamp: object, written: str, time: str, form: BodyForm) -> None:
    assert timed(encoded(raw_event(timestamp=timestamp, datetime=written), form), form) == (time, True)


@forms
def test_a_datetime_that_is_a_second_in_the_timestamp_leaves_its_milliseconds(form: BodyForm) -> None:
    event = raw_event(timestamp=SECOND * 1000 + 120, datetime="2026-01-01T00:00:00")
    assert timed(encoded(event, form), form) == ("2026-01-01T00:00:00.120Z", True)


UNPREFIXED: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({"timestamp": SECOND}, MIDNIGHT),
    ({"timestamp": "1.7672256E9"}, MIDNIGHT),
    ({"datetime": "2026-01-01T00:00:00.120Z"}, "2026-01-01T00:00:00.120Z"),
    ({"timestamp": SECOND, "datetime": "2026-01-01T00:00:00.120Z"}, "2026-01-01T00:00:00.120Z"),
    ({"timestamp": SECOND, "datetime": "2026-01-01T05:00:00"}, MIDNIGHT),
    ({"TIMESTAMP": SECOND}, MIDNIGHT),
    ({"DATETIME": "2026-01-01T00:00:00.120Z"}, "2026-01-01T00:00:00.120Z"),
)


@pytest.mark.parametrize("form", FLAT_FORMS)
@pytest.mark.parametrize(("top", "time"), UNPREFIXED)
def test_times_without_a_prefix_are_read_in_flat_bodies(top: dict[str, Any], time: str, form: BodyForm) -> None:
    for absent in (None, "", "null"):
        value = encoded(raw_event(timestamp=absent, datetime=absent), form, top=top)
        assert timed(value, form) == (time, True)


@pytest.mark.parametrize(("top", "time"), UNPREFIXED)
def test_times_without_a_prefix_are_read_in_groups(top: dict[str, Any], time: str) -> None:
    value = encoded(raw_event(timestamp=None, datetime=None), BodyForm.DOTTED)[:-1]
    assert timed(value + b"}", BodyForm.GROUPED) == (KAFKA, False)
    inner = b"".join(b',"%s":%s' % (name.encode(), repr(each).replace("'", '"').encode()) for name, each in top.items())
    assert timed(b'{"Event Data":' + value + inner + b"}}", BodyForm.GROUPED) == (time, True)


@pytest.mark.parametrize("form", FLAT_FORMS)
def test_times_with_the_prefix_come_first(form: BodyForm) -> None:
    top = {"timestamp": SECOND + 7200, "datetime": "2026-01-01T07:00:00Z"}
    value = encoded(raw_event(timestamp=SECOND, datetime="2026-01-01T00:00:00.120Z"), form, top=top)
    assert timed(value, form) == ("2026-01-01T00:00:00.120Z", True)


def test_a_nested_body_has_its_times_below_event_alone() -> None:
    value = encoded(raw_event(timestamp=None, datetime=None), BodyForm.NESTED, top={"timestamp": SECOND})
    assert timed(value, BodyForm.NESTED) == (KAFKA, False)
