"""Files that do not answer, like those of a network mount that is gone."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Self

from tests.fakes.stream import BOUND_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class SilentFiles:
    """Within its context, reading one of the files does not return; `asked` counts the attempts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
        self._paths = {str(path) for path in paths}
        self._monkeypatch = monkeypatch
        self._answers = threading.Event()
        self._stuck: list[threading.Thread] = []
        self.asked = 0
        self.is_asked = threading.Event()

    def __enter__(self) -> Self:
        real = os.stat

        def stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
            if str(path) in self._paths and not self._answers.is_set():
                self.asked += 1
                self.is_asked.set()
                self._answers.wait()
            return real(path, *arguments, **options)

        self._monkeypatch.setattr(os, "stat", stat)
        return self

    def __exit__(self, *_: object) -> None:
        self._stuck = [thread for thread in threading.enumerate() if thread.name == "file"]
        self._answers.set()

    def end(self) -> None:
        """Wait until no reader is waiting any more."""
        for thread in self._stuck:
            thread.join(BOUND_SECONDS)
