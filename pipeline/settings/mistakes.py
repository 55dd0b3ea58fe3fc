"""Mistakes in the settings, in words that say what to do."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.visible import visible

PREFIX = "PIPELINE_"


def variable(field: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + field.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One fault. `fields` are the settings it is about; `text` names their variables and never a secret's value."""

    fields: tuple[str, ...]
    text: str


class SettingsError(Exception):
    """The environment cannot be used; all its mistakes are listed."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(visible(mistake.text) for mistake in mistakes))


def setting_error(field: str, text: str) -> SettingsError:
    """Return the error about a single setting; `text` follows the name of its variable."""
    return SettingsError((Mistake(fields=(field,), text=f"{variable(field)} {text}"),))
