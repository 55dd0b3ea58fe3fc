"""From the environment to `Settings`, or to the list of everything that is wrong with it.

pydantic-settings was weighed and left out: its errors name fields where an operator knows variables, it stops before
the rules between settings, and it passes over misspelt variables.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pipeline.settings.checks import contradictions, missing
from pipeline.settings.choices import Requirement, Role
from pipeline.settings.environment import read_variables, secret_files
from pipeline.settings.expectations import choices, expectation, secrets
from pipeline.settings.mistakes import Mistake, SettingsError, variable
from pipeline.settings.sections import FIELDS, Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

_LONGEST_SHOWN: Final = 200
_URL_SECRETS: Final = re.compile(r"(?<=://)[^/@]*@|[?#].*", re.DOTALL)

ROLE_REQUIREMENTS: Final[Mapping[Role, frozenset[Requirement]]] = {
    Role.PROCESSOR: frozenset({Requirement.KAFKA}),
    Role.SEGMENT_SINK: frozenset({Requirement.KAFKA, Requirement.SEGMENT}),
}


def load_settings(environment: Mapping[str, str], *, requirements: Collection[Requirement] = ()) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: with every mistake at once.
    """
    values, mistakes = read_variables(environment)
    settings, faults = _validated(values, secret_files(environment))
    mistakes += faults
    faulty = {field for mistake in mistakes for field in mistake.fields}
    mistakes += (
        mistake
        for mistake in (*missing(settings, requirements), *contradictions(settings))
        if faulty.isdisjoint(mistake.fields)
    )
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return settings


def _validated(values: Mapping[str, str], files: Mapping[str, Path]) -> tuple[Settings, list[Mistake]]:
    """Validate each value; those at fault are left out, so that the rest can be checked further."""
    try:
        return Settings.model_validate(values, context=files), []
    except ValidationError as error:
        faults = {str(detail["loc"][0]): detail for detail in error.errors(include_url=False)}
    mistakes = [_fault(field, values[field], faults[field]) for field in FIELDS if field in faults]
    usable = {field: value for field, value in values.items() if field not in faults}
    return Settings.model_validate(usable, context=files), mistakes


def _fault(field: str, value: str, detail: ErrorDetails) -> Mistake:
    shown = "is set" if field in secrets() else f"is `{_presentable(value)}`"
    context: dict[str, Any] = detail.get("ctx", {})
    reason = f", but {context['error']}" if "error" in context else ""
    close = get_close_matches(value, choices(field), n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    return Mistake(fields=(field,), text=f"{variable(field)} {shown}{reason}: give {expectation(field)}.{hint}")


def _presentable(value: str) -> str:
    """Shorten a faulty value, and leave out what is secret in an address."""
    shown = _URL_SECRETS.sub("…", value) if "://" in value else value
    return shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + "…"
