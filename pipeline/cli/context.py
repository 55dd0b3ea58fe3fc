"""The input of every command: the environment, and the settings read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from pipeline.settings.choices import LogFormat
from pipeline.settings.loading import load_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.settings.choices import Requirement, Role
    from pipeline.settings.loading import Check
    from pipeline.settings.sections import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One run of the program. Nothing else reads the environment."""

    environment: Mapping[str, str]

    def settings(
        self, requirements: Collection[Requirement] = (), checks: Collection[Check] = (), *, role: Role | None = None
    ) -> Settings:
        """Read the settings, with the command's own checks, and configure logging accordingly.

        `role` is added to every log message.

        Raises:
            SettingsError: with every mistake at once.
        """
        from pipeline.logs import configure_logs

        settings = load_settings(self.environment, requirements=requirements, checks=checks)
        configure_logs(
            settings.log_level,
            as_json=settings.log_format is LogFormat.JSON,
            everywhere=None if role is None else {"role": role.value},
        )
        return settings


pass_invocation = click.make_pass_decorator(Invocation)
