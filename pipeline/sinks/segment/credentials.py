"""The write key: its format, and the header that carries it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pipeline.delivery.client import basic_auth

if TYPE_CHECKING:
    from pydantic import SecretStr

_LENGTH: Final = 32
_WRITE_KEY: Final = re.compile(rf"[0-9A-Za-z]{{{_LENGTH}}}")


def write_key_problem(write_key: str) -> str | None:
    """Return what is wrong with the format of a write key, without showing it; None if it is valid.

    Segment answers 200 to an unknown key and discards the data, so no answer will ever report a wrong key.
    """
    if _WRITE_KEY.fullmatch(write_key):
        return None
    if _WRITE_KEY.fullmatch(write_key.strip()):
        return "has white space around it"
    if len(write_key) != _LENGTH:
        return f"has {len(write_key)} characters; a Segment write key has {_LENGTH} letters and digits"
    return f"has characters other than letters and digits; a Segment write key has {_LENGTH} letters and digits"


def authorization(write_key: SecretStr) -> str:
    """Return the `Authorization` header: the write key is the user name, and there is no password."""
    return basic_auth(write_key.get_secret_value(), "")
