from __future__ import annotations

import signal

import pytest

from pipeline.runtime.supervisor import total_exit_code


@pytest.mark.parametrize(
    ("codes", "by_itself", "expected"),
    [
        ([0, 0, 0], False, 0),
        ([-signal.SIGTERM, -signal.SIGTERM, 0], False, 0),
        ([0, 0, 1], False, 1),
        ([1, -signal.SIGTERM, 1], True, 1),
        ([0, 0, -signal.SIGTERM], True, 1),
        ([2, 1, 2], True, 2),
        ([-signal.SIGKILL, 0, -signal.SIGKILL], True, 137),
    ],
)
def test_the_role_that_failed_gives_the_exit_code_and_one_that_we_ended_while_it_started_does_not(
    *, codes: list[int], by_itself: bool, expected: int
) -> None:
    assert total_exit_code(codes, by_itself=by_itself) == expected
