"""Reads the environment's variables, and separates settings from mistakes."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.core.mistakes import MOST_LISTED
from pipeline.settings.expectations import choices, expectation, secrets
from pipeline.settings.files import FileError, read_file, text_of
from pipeline.settings.masking import NOT_SHOWN, presentable, unshowable
from pipeline.settings.mistakes import PREFIX, Mistake, variable
from pipeline.settings.sections import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILE: Final = "_FILE"
MOST_SECRET_BYTES: Final = 65_536
"""The largest secret; a path may name a file that never ends."""
# Kubernetes describes a Service called `pipeline…` to every container in variables with this prefix.
_SERVICE_LINK: Final = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")


def secret_file_variable(field: str) -> str:
    """Return the variable with the path of a secret's file."""
    return variable(field) + _FILE


def read_variables(environment: Mapping[str, str]) -> tuple[dict[str, str], list[Mistake]]:
    """Return the settings in an environment, and the mistakes. An empty variable counts as absent."""
    given = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value.strip()}
    values: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for field in FIELDS:
        if (value := given.pop(variable(field), None)) is not None:
            values[field] = value if field in secrets() else _spelt(field, value.strip())
    for field in secrets():
        path = given.pop(secret_file_variable(field), None)
        if path is None:
            continue
        if field in values:
            mistakes.append(
                _about(field, f"{variable(field)} and {secret_file_variable(field)} are both set: keep one.")
            )
            continue
        try:
            values[field] = read_secret(Path(path.strip()))
        except FileError as error:
            mistakes.append(_about(field, f"{secret_file_variable(field)} {_shown_path(path.strip())}: {error}."))
    mistakes += _unusable(values)
    mistakes += _unknown(given)
    return values, mistakes


def _shown_path(path: str) -> str:
    """Return the path of a secret for a message, unless it may be the secret itself."""
    shown = presentable(path, is_path=True)
    return f"is `{shown}`" if path.startswith("/") and shown != NOT_SHOWN else "is set"


def _unusable(values: dict[str, str]) -> Iterator[Mistake]:
    """Remove the values that are unusable and must not be shown, and yield what is wrong with each."""
    for field, value in list(values.items()):
        reason = _unreadable_secret(value) if field in secrets() else unshowable(value)
        if reason is not None:
            del values[field]
            yield _about(field, f"{variable(field)} is set, but {reason}: give {expectation(field)}.")


def _unreadable_secret(value: str) -> str | None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8 text"
    return "it has a null byte" if "\0" in value else None


def secret_files(environment: Mapping[str, str]) -> dict[str, Path]:
    """Return the path of each setting whose value is in a file."""
    given = {field: environment.get(secret_file_variable(field), "").strip() for field in secrets()}
    return {field: Path(path) for field, path in given.items() if path}


def _about(field: str, text: str) -> Mistake:
    return Mistake(fields=(field,), text=text)


def _spelt(field: str, value: str) -> str:
    """Return a choice in the spelling of the setting, whatever its case."""
    return next((choice for choice in choices(field) if choice.casefold() == value.casefold()), value)


def read_secret(path: Path) -> str:
    """Return a mounted secret, without the line break that editors leave at its end.

    Raises:
        FileError: the file has no usable content; with the reason, and what to do.
    """
    try:
        return secret_of(read_file(path, most_bytes=MOST_SECRET_BYTES))
    except FileError as error:
        raise FileError(f"{error}; store the secret alone in a file, and mount it there or correct the path") from None


def secret_of(content: bytes) -> str:
    """Return the secret in a file's content.

    Raises:
        FileError: there is none.
    """
    text = text_of(content).rstrip("\r\n")
    if not text.strip():
        raise FileError("it is empty")
    return text


def _unknown(given: Mapping[str, str]) -> Iterator[Mistake]:
    """List variables that look like settings but are none; a misspelt name would leave a default in effect."""
    known = [variable(field) for field in FIELDS]
    known += [secret_file_variable(field) for field in secrets()]
    names = sorted(
        name for name, value in given.items() if not (_SERVICE_LINK.fullmatch(name) or _SERVICE_ADDRESS.match(value))
    )
    for name in names[:MOST_LISTED]:
        close = get_close_matches(name, known, n=1, cutoff=0.8)
        hint = f"did you mean {close[0]}?" if close else "remove it; `onesignal-pipeline settings` lists what there is."
        yield Mistake(fields=(), text=f"{presentable(name)} is not a setting: {hint}")
    if (more := len(names) - MOST_LISTED) > 0:
        yield Mistake(fields=(), text=f"{more:,} more variables are no settings.")
