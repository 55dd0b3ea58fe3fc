"""Simulates a full disk for the files of this process."""

from __future__ import annotations

import resource
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOM: Final = 4_096
"""Maximum file size in bytes: a write beyond it fails in the middle, as on a full disk."""


@contextmanager
def full_disk() -> Iterator[None]:
    """Limit the size of all files to `ROOM`. Keep the block short: pytest's output may go into a file, too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signalled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signalled)
