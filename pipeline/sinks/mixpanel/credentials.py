"""The credentials: a project token, or a service account with its secret and project. Both are sent as Basic auth.

Mixpanel documents no length of a token or a secret, and answers 401 to a wrong one. So only what cannot be sent is a
problem (schemas/SOURCES.md, "Mixpanel import requests").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.delivery.client import basic_auth

if TYPE_CHECKING:
    from pydantic import SecretStr


def project_token_problem(token: str) -> str | None:
    """Return what is wrong with the format of a project token, without showing it; None if it is valid."""
    return _problem(token)


def service_account_secret_problem(secret: str) -> str | None:
    """Return what is wrong with the format of a service account's secret, without showing it; None if it is valid."""
    return _problem(secret)


def service_account_problem(user_name: str) -> str | None:
    """Return what is wrong with the format of a service account's user name; None if it is valid."""
    return _problem(user_name)


def project_id_problem(project_id: str) -> str | None:
    """Return what is wrong with the format of a project's id; None if it is valid."""
    return None if project_id.isascii() and project_id.isdecimal() else "is not the number of a project"


def authorization(user_name: str | None, secret: SecretStr) -> str:
    """Return the `Authorization` header. A project token is a user name without a password."""
    text = secret.get_secret_value()
    return basic_auth(text, "") if user_name is None else basic_auth(user_name, text)


def _problem(text: str) -> str | None:
    if not text:
        return "is empty"
    if text.strip() != text:
        return "has white space around it"
    if not text.isascii() or not text.isprintable() or " " in text or ":" in text:
        return "has characters other than visible ASCII, or a colon"
    return None
