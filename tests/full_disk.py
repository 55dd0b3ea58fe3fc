"""A disk that is full, for the files of this process."""

from __future__ import annotations

import resource
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOM: Final = 4_096
"""Bytes that a file may have: a write beyond fails in the middle, as on a full disk."""


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow beyond `ROOM`. Keep it short: what pytest prints may go into a file, too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signalled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signalled)
