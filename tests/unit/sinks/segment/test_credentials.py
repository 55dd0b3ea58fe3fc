from __future__ import annotations

import base64

import pytest
from pydantic import SecretStr

from pipeline.sinks.segment.credentials import authorization, write_key_problem
from tests.fakes.segment import WRITE_KEY


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "has 0 characters"),
        ("abc123", "has 6 characters"),
        (WRITE_KEY + "0", "has 33 characters"),
        (WRITE_KEY + "\n", "white space around"),
        (WRITE_KEY[:-1] + "-", "other than letters and digits"),
        (WRITE_KEY[:-1] + "é", "other than letters and digits"),
        (WRITE_KEY[:-1] + "٣", "other than letters and digits"),
    ],
)
def test_what_is_wrong_with_a_write_key_is_said_without_showing_it(key: str, problem: str) -> None:
    found = write_key_problem(key)
    assert found is not None
    assert problem in found
    assert WRITE_KEY[:8] not in found


def test_a_write_key_is_32_letters_and_digits() -> None:
    assert write_key_problem(WRITE_KEY) is None


def test_the_write_key_is_the_user_name_of_basic_auth_without_a_password() -> None:
    kind, _, credentials = authorization(SecretStr(WRITE_KEY)).partition(" ")
    assert (kind, base64.b64decode(credentials).decode()) == ("Basic", f"{WRITE_KEY}:")
