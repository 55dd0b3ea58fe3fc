from __future__ import annotations

import pytest

from tests.bench.runs import RunError
from tests.bench.written_records import Copy, account_of


def records(*sources: tuple[int, int]) -> list[Copy]:
    return [Copy(0, offset, source) for offset, source in enumerate(sources)]


def test_every_event_has_a_record() -> None:
    assert account_of(records((0, 0), (1, 0), (0, 1)), {0: 2, 1: 1}) == (0, 0)


def test_a_record_that_was_written_twice_does_not_make_up_for_one_that_is_missing() -> None:
    assert account_of(records((0, 0), (0, 0), (1, 0)), {0: 2, 1: 1}) == (1, 1)


def test_each_further_copy_counts() -> None:
    assert account_of(records((0, 0), (0, 0), (0, 0)), {0: 1}).repeated == 2


def test_a_partition_without_records_is_missing_whole() -> None:
    assert account_of(records((0, 0)), {0: 1, 1: 3}).missing == 3


@pytest.mark.parametrize("source", [(0, 2), (2, 0), (0, -1)])
def test_a_record_of_an_event_that_was_never_written_fails_the_run(source: tuple[int, int]) -> None:
    with pytest.raises(RunError, match="which has no event"):
        account_of(records(source), {0: 2, 1: 1})
