"""Loads `Settings` from the environment, or lists everything that is wrong with it.

pydantic-settings is not used: its errors name fields where an operator knows variables, it does not check rules
between settings, and it ignores misspelt variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from pipeline.settings.checks import contradictions, missing
from pipeline.settings.environment import read_variables, secret_file_variable, secret_files
from pipeline.settings.expectations import annotation, choices, expectation, secrets
from pipeline.settings.masking import presentable
from pipeline.settings.mistakes import Mistake, SettingsError, variable
from pipeline.settings.sections import FIELDS, SETTINGS, Settings, nested

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pydantic_core import ErrorDetails

    from pipeline.settings.choices import Requirement

Check: TypeAlias = Callable[[Settings], Iterable[Mistake]]
"""Lists further mistakes, such as those in the files that settings name."""


def load_settings(
    environment: Mapping[str, str],
    *,
    requirements: Collection[Requirement] = (),
    checks: Collection[Check] = (),
) -> Settings:
    """Return the settings. `checks` are the caller's; they get settings without the invalid values.

    Raises:
        SettingsError: the environment has mistakes; all are listed.
    """
    values, mistakes = read_variables(environment)
    settings, faults = _validated(values, secret_files(environment))
    mistakes += faults
    faulty = {field for mistake in mistakes for field in mistake.fields}
    mistakes += (
        mistake
        for mistake in (
            *missing(settings, requirements),
            *contradictions(settings),
            *(found for check in checks for found in check(settings)),
        )
        if faulty.isdisjoint(mistake.fields)
    )
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return settings


def _validated(values: Mapping[str, str], files: Mapping[str, Path]) -> tuple[Settings, list[Mistake]]:
    """Validate each value; invalid ones are omitted, so that the rest can be checked further."""
    try:
        return Settings.model_validate(nested(values), context=files), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    at_fault = {detail["loc"]: detail for detail in details}
    faults = {field: at_fault[path] for field, setting in SETTINGS.items() if (path := setting.path) in at_fault}
    mistakes = [_fault(field, values[field], faults[field], files.get(field)) for field in FIELDS if field in faults]
    usable = {field: value for field, value in values.items() if field not in faults}
    return Settings.model_validate(nested(usable), context=files), mistakes


def _fault(field: str, value: str, detail: ErrorDetails, file: Path | None) -> Mistake:
    context: dict[str, Any] = detail.get("ctx", {})
    error = context.get("error")
    if file is not None:
        found = f"{secret_file_variable(field)} is `{file}`, whose content cannot be used"
        reason = f": {error}" if error else ""
    else:
        is_path = annotation(field)[0] is Path
        shown = "is set" if field in secrets() else f"is `{presentable(value, is_path=is_path)}`"
        found = f"{variable(field)} {shown}"
        reason = f", but {error}" if error else ""
    close = get_close_matches(value, choices(field), n=1)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    return Mistake(fields=(field,), text=f"{found}{reason}: give {expectation(field)}.{hint}")
