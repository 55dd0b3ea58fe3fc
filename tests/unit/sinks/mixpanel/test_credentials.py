from __future__ import annotations

import base64

import pytest
from pydantic import SecretStr

from pipeline.sinks.mixpanel.credentials import authorization, project_token_problem, service_account_secret_problem

PROBLEMS = [
    ("", "is empty"),
    (" a", "white space around"),
    ("a\n", "white space around"),
    ("a b", "visible ASCII"),
    ("a:b", "colon"),
    ("é", "visible ASCII"),
    ("a\tb", "visible ASCII"),
]


@pytest.mark.parametrize("problem_of", [project_token_problem, service_account_secret_problem])
def test_a_problem_of_a_secret_is_named_and_the_secret_is_not(problem_of: object) -> None:
    assert callable(problem_of)
    for secret, words in PROBLEMS:
        assert words in (problem_of(secret) or "")
    assert problem_of("0123456789abcdef") is None


def test_a_token_is_the_user_name_and_has_no_password() -> None:
    assert decoded(authorization(None, SecretStr("token"))) == "token:"


def test_a_service_account_is_user_name_and_password() -> None:
    assert decoded(authorization("user", SecretStr("secret"))) == "user:secret"


def decoded(header: str) -> str:
    kind, _, value = header.partition(" ")
    assert kind == "Basic"
    return base64.b64decode(value).decode()
