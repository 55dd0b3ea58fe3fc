"""Reload a destination's secret when its file changes, so that it can be rotated without a restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from pydantic import SecretStr

from pipeline.settings.environment import MOST_SECRET_BYTES, secret_of
from pipeline.settings.files import FileError, read_file_aside

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.metrics.credentials import CredentialsMetrics

logger = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
"""How often the file is read; it is small."""


class SecretFile:
    """The secret in a file. Changes of a secret that Kubernetes mounts, by replacing a symbolic link, are detected.

    An invalid secret is rejected and logged once, and the previous secret stays in use. No secret is ever logged.

    Args:
        path: The file.
        secret: The secret when the settings were read.
        words: The secret's name in logs.
        problem_of: Returns the problem with a secret, without showing it; None if it is valid.
        metrics: Records whether the file is valid.
    """

    def __init__(
        self,
        path: Path,
        secret: SecretStr,
        *,
        words: str,
        problem_of: Callable[[str], str | None],
        metrics: CredentialsMetrics,
    ) -> None:
        self._path = path
        self._secret = secret
        self._words = words
        self._problem_of = problem_of
        self._metrics = metrics
        self._problem: str | None = None

    def current(self) -> SecretStr:
        """Return the secret for the next request."""
        return self._secret

    @property
    def note(self) -> str | None:
        """The text about the secret in `/readyz`; None if it is valid."""
        return None if self._problem is None else f"a change of the {self._words} was refused: {self._problem}"

    async def run(self) -> None:
        """Read the file every `LOOK_SECONDS` until cancelled, the first time at once."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Read the file, and use a changed secret from now on."""
        try:
            text = secret_of(await read_file_aside(self._path, most_bytes=MOST_SECRET_BYTES))
            problem = self._problem_of(text)
        except FileError as error:
            text, problem = "", str(error)
        if problem is not None and problem != self._problem:
            logger.error("secret file rejected, keeping the previous secret", secret=self._words, problem=problem)
        if problem is None and text != self._secret.get_secret_value():
            self._secret = SecretStr(text)
            logger.info("secret changed", secret=self._words)
        self._problem = problem
        self._metrics.judged(usable=problem is None)
