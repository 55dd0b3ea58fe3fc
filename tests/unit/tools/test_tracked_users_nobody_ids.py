from __future__ import annotations

import io

import pytest

from pipeline.bootstrap.destinations.segment import SEGMENT
from pipeline.bootstrap.tracked_users import read_file
from pipeline.settings import load_settings
from pipeline.tools.tracked_users.users_file import UsersFileError


def imported(*users: str, nobody_ids: str = "") -> int:
    """Read a file of users and return how many there are."""
    settings = load_settings(
        {"PIPELINE_TRACKED_USERS_SECRET": "a secret that is long enough", "PIPELINE_NOBODY_IDS": nobody_ids}
    )
    file = io.StringIO("\n".join(("user_id", *users)), newline="")
    return sum(len(hashes) for hashes in read_file(settings, SEGMENT, file, 4, lambda _rows: None).marks.values())


@pytest.mark.parametrize(
    "user", ["nan", "ALL", "(null)", "[object Object]", "{{ user.id }}", "000", "0.0", '"""null"""']
)
def test_a_user_whose_id_is_empty_is_refused(user: str) -> None:
    with pytest.raises(UsersFileError) as refusal:
        imported("u-1", user)
    assert "Line 3: user_id is a placeholder" in str(refusal.value)


@pytest.mark.parametrize("user", ["guest", "1", "Guest", "(email)"])
def test_words_of_the_user_s_own_are_refused_where_they_are_set(user: str) -> None:
    assert imported("u-1", user) == 2
    with pytest.raises(UsersFileError) as refusal:
        imported("u-1", user, nobody_ids="guest,1,email")
    assert "Line 3: user_id is a placeholder" in str(refusal.value)


@pytest.mark.parametrize("user", ["null-island", "Nancy", "{u-77}", "guests", "11"])
def test_any_other_user_is_taken(user: str) -> None:
    assert imported("u-1", user, nobody_ids="guest,1,email") == 2
