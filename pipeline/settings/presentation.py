"""Settings for people to read: the effective values, and the reference of all settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from pipeline.settings.environment import secret_file_variable
from pipeline.settings.expectations import expectation, secrets
from pipeline.settings.masking import NOT_SHOWN, unshowable
from pipeline.settings.mistakes import variable
from pipeline.settings.sections import FIELDS, REFERENCE, SETTINGS, Settings

_MASK: Final = "********"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSetting:
    """One setting; `value` is None when there is none, and masked when it is a secret."""

    variable: str
    value: str | None
    is_set: bool


def effective_settings(settings: Settings) -> tuple[ShownSetting, ...]:
    """List every setting with its effective value, secrets masked."""
    return tuple(
        ShownSetting(
            variable=variable(field),
            value=_shown(settings.value(field)),
            is_set=settings.is_set(field),
        )
        for field in FIELDS
    )


def _shown(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, bool):
        return str(value).lower()
    shown = f"{value:.15g}" if isinstance(value, float) else str(value)
    return shown if unshowable(shown) is None else NOT_SHOWN


def reference_table() -> str:
    """Return the reference of all settings as Markdown: one table for each section."""
    parts = []
    for section, names in REFERENCE:
        title = (section.__doc__ or "").rstrip(".")
        rows = "\n".join(_row(field) for field in names)
        parts.append(f"### {title}\n\n| variable | default | takes | meaning |\n| --- | --- | --- | --- |\n{rows}\n")
    return "\n".join(parts)


def _row(field: str) -> str:
    described = SETTINGS[field].described
    default = _shown(described.default)
    takes = expectation(field)
    if field in secrets():
        takes += f"; or the path of a file that holds it in `{secret_file_variable(field)}`"
    shown = "" if default is None else f"`{default}`"
    return f"| `{variable(field)}` | {shown} | {takes} | {described.description} |"
