from __future__ import annotations

import pytest

from pipeline.delivery.limits import LearntLimits, RequestLimits

ENVELOPE_BYTES = 10


def limits_of(*, max_bytes: int, max_records: int, max_record_bytes: int, separator_bytes: int = 1) -> RequestLimits:
    return RequestLimits(
        max_bytes=max_bytes,
        max_records=max_records,
        max_record_bytes=max_record_bytes,
        envelope_bytes=ENVELOPE_BYTES,
        separator_bytes=separator_bytes,
    )


SMALL = limits_of(max_bytes=ENVELOPE_BYTES + 32, max_records=4, max_record_bytes=32)


@pytest.mark.parametrize(("max_bytes", "max_records"), [(ENVELOPE_BYTES + 31, 4), (ENVELOPE_BYTES + 32, 0)])
def test_a_request_that_has_no_room_for_one_record_is_refused(max_bytes: int, max_records: int) -> None:
    with pytest.raises(ValueError, match="room for one record"):
        limits_of(max_bytes=max_bytes, max_records=max_records, max_record_bytes=32)


@pytest.mark.parametrize(
    ("records", "separator_bytes", "length"), [(0, 1, 10), (1, 1, 110), (3, 1, 112), (3, 0, 110), (3, 2, 114)]
)
def test_a_body_has_a_separator_between_two_records_and_none_around_them(
    records: int, separator_bytes: int, length: int
) -> None:
    limits = limits_of(max_bytes=99, max_records=9, max_record_bytes=32, separator_bytes=separator_bytes)
    assert limits.body_bytes(records=records, record_bytes=100 if records else 0) == length


def test_half_of_a_body_that_was_too_large_is_the_limit_from_then_on() -> None:
    learnt = LearntLimits(limits_of(max_bytes=1_000, max_records=4, max_record_bytes=32))
    seen = []
    for body_bytes in (1_000, 700, 1_000, 400):
        learnt.cured(body_bytes)
        seen.append(learnt.max_bytes)
    assert seen == [500, 350, 350, 200]
    assert learnt.in_force.max_records == 4


def test_the_largest_record_fits_into_a_request_whatever_was_too_large() -> None:
    learnt = LearntLimits(SMALL)
    learnt.cured(ENVELOPE_BYTES + 3)
    assert learnt.max_bytes == ENVELOPE_BYTES + 32
