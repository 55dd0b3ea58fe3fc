from __future__ import annotations

import pytest

from pipeline.state.tracked_users import MonthOfUsers


@pytest.mark.parametrize(
    ("marks", "stranger"),
    [
        ([(5, 8)], 9),
        ([(5, 8), (9, 3)], 4),
        ([(0x00_11_22_33_44_55_66_77, 0x00_99_AA_BB_CC_DD_EE_FE)], 0x33_44_55_66_77_00_99_AA),
        ([(1, 2**32), (2, 7)], 0x00_00_00_01_00_00_00_01),
    ],
    ids=["an offset", "an offset of another", "a hash and an offset", "within both"],
)
def test_bytes_that_look_like_a_user_are_none(marks: list[tuple[int, int]], stranger: int) -> None:
    users = MonthOfUsers()
    for user, offset in marks:
        assert users.put(user, offset)
    assert users.get(stranger) is None
    assert users.put(stranger, 77)
    assert users.get(stranger) == 77
    assert {user: users.get(user) for user, _ in marks} == dict(marks)
    assert list(users.users()) == sorted({stranger, *(user for user, _ in marks)})


def test_a_user_whose_bytes_stand_elsewhere_before_is_found() -> None:
    users = MonthOfUsers()
    users.put(3, 8)
    users.put(9, 1)
    assert (users.get(9), users.put(9, 1), users.put(9, 0), users.get(9)) == (1, False, True, 0)
