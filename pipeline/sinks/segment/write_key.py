"""Read the write key again when its file changes, so that it can be rotated without a restart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog
from pydantic import SecretStr

from pipeline.settings.environment import read_secret
from pipeline.sinks.segment.options import write_key_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
"""How often the file is looked at, at most; a look is one `stat`, so it may be done on the event loop."""

_Mark: TypeAlias = tuple[int, int, int, int] | None


class WriteKeyFile:
    """The write key that a file holds. Kubernetes changes a mounted secret by turning a symbolic link: that is seen.

    What cannot be used is refused with one line in the log, and the key from before stays. No key is ever logged.
    """

    def __init__(self, path: Path, key: SecretStr, *, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._key = key
        self._now = now
        self._look_at = now()
        self._mark: _Mark = (0, 0, 0, 0)

    def current(self) -> SecretStr:
        """Return the key for the next request."""
        now = self._now()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._look()
        return self._key

    def _look(self) -> None:
        mark = self._marked()
        if mark == self._mark:
            return
        self._mark = mark
        try:
            text = read_secret(self._path)
            problem = write_key_problem(text)
        except ValueError as error:
            text, problem = "", str(error)
        if problem is not None:
            logger.error("write key file cannot be used, the key from before stays", problem=problem)
        elif text != self._key.get_secret_value():
            self._key = SecretStr(text)
            logger.info("write key changed")

    def _marked(self) -> _Mark:
        try:
            seen = self._path.stat()
        except OSError:
            return None
        return seen.st_mtime_ns, seen.st_ino, seen.st_dev, seen.st_size
