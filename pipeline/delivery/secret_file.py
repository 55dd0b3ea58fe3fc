"""Read the write key again when its file changes, so that it can be rotated without a restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from pydantic import SecretStr

from pipeline.delivery.options import write_key_problem
from pipeline.settings.environment import MOST_SECRET_BYTES, secret_of
from pipeline.settings.files import FileError, read_file_aside

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.metrics.credentials import CredentialsMetrics

logger = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
"""How often the file is read; it has 32 letters."""


class WriteKeyFile:
    """The write key that a file holds. Kubernetes changes a mounted secret by turning a symbolic link: that is seen.

    What cannot be used is refused with one line in the log, and the key from before stays. No key is ever logged.
    """

    def __init__(self, path: Path, key: SecretStr, *, metrics: CredentialsMetrics) -> None:
        self._path = path
        self._key = key
        self._metrics = metrics
        self._problem: str | None = None

    def current(self) -> SecretStr:
        """Return the key for the next request."""
        return self._key

    @property
    def note(self) -> str | None:
        """What `/readyz` tells of the key."""
        return None if self._problem is None else f"a change of the write key was refused: {self._problem}"

    async def run(self) -> None:
        """Look again and again until cancelled; the first time at once, for the settings were read a while ago."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Read the file; a key that has changed is used from now on."""
        try:
            text = secret_of(await read_file_aside(self._path, most_bytes=MOST_SECRET_BYTES))
            problem = write_key_problem(text)
        except FileError as error:
            text, problem = "", str(error)
        if problem is not None and problem != self._problem:
            logger.error("write key file cannot be used, the key from before stays", problem=problem)
        if problem is None and text != self._key.get_secret_value():
            self._key = SecretStr(text)
            logger.info("write key changed")
        self._problem = problem
        self._metrics.judged(usable=problem is None)
