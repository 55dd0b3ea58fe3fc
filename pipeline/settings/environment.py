"""The environment's variables, sorted into settings and mistakes."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.settings.expectations import choices, secrets
from pipeline.settings.mistakes import PREFIX, Mistake, variable
from pipeline.settings.sections import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILE: Final = "_FILE"
MOST_SECRET_BYTES: Final = 65_536
"""More is not a secret: a path may name something that never ends."""
# Kubernetes tells every container about a Service called `pipeline…` in variables of this prefix.
_SERVICE_LINK: Final = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")


def secret_file_variable(field: str) -> str:
    """Name the variable that holds the path of a secret's file."""
    return variable(field) + _FILE


def read_variables(environment: Mapping[str, str]) -> tuple[dict[str, str], list[Mistake]]:
    """Take the settings' variables out of an environment. An empty variable counts as absent."""
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
        except ValueError as error:
            shown = f"is `{path.strip()}`" if path.strip().startswith("/") else "is set"  # it may be the secret itself
            mistakes.append(_about(field, f"{secret_file_variable(field)} {shown}: {error}."))
    mistakes += _unknown(given)
    return values, mistakes


def secret_files(environment: Mapping[str, str]) -> dict[str, Path]:
    """List the settings whose value is in a file, with its path."""
    given = {field: environment.get(secret_file_variable(field), "").strip() for field in secrets()}
    return {field: Path(path) for field, path in given.items() if path}


def _about(field: str, text: str) -> Mistake:
    return Mistake(fields=(field,), text=text)


def _spelt(field: str, value: str) -> str:
    """Give a choice the case of the setting's own spelling."""
    return next((choice for choice in choices(field) if choice.casefold() == value.casefold()), value)


def read_secret(path: Path) -> str:
    """Read a mounted secret, without the line break that editors leave at its end.

    Raises:
        ValueError: with the reason, when there is nothing usable in the file.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_SECRET_BYTES).decode().rstrip("\r\n")
    except FileNotFoundError:
        raise ValueError("there is no such file; mount the secret there, or correct the path") from None
    except UnicodeDecodeError:
        raise ValueError("the file is not text; store the secret alone in it") from None
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror}); correct the path or its permissions") from None
    if not text.strip():
        raise ValueError("the file is empty; store the secret in it")
    return text


def _unknown(given: Mapping[str, str]) -> Iterator[Mistake]:
    """Report what looks like a setting and is none; a misspelt name would otherwise leave a default in force."""
    known = [variable(field) for field in FIELDS]
    known += [secret_file_variable(field) for field in secrets()]
    for name in sorted(given):
        if _SERVICE_LINK.fullmatch(name) or _SERVICE_ADDRESS.match(given[name]):
            continue
        close = get_close_matches(name, known, n=1, cutoff=0.8)
        hint = f"did you mean {close[0]}?" if close else "remove it; `onesignal-pipeline settings` lists what there is."
        yield Mistake(fields=(), text=f"{name} is not a setting: {hint}")
