"""How a process allocates: what the collector looks at, what malloc keeps, and how far batches are unpacked."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

from pipeline.kafka.fetched.unpacking import BOUND

COLLECTOR_THRESHOLD: Final = 10_000
"""New objects that can be part of a cycle before the youngest are looked at; Python's own number is 700."""
KEPT_BYTES: Final = 32 * 1024 * 1024
"""So much freed memory stays with the process; an answer to a fetch and what is made of it take a part of that."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc, malloc.h


def spare_the_collector() -> None:
    """Let the garbage collector leave alone what stays for good, and look at the rest less often.

    Messages and records hold no cycles; following them over and over was an eighth of a processor's CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD)


def keep_freed_memory() -> None:
    """Let malloc keep what is freed, instead of giving it back to the system and asking for it again.

    An answer to a fetch has some megabytes, and so have the copies on its way to the messages. Each time they were
    freed and asked for again the system had to clear their pages: up to a seventh of a sink's CPU in a backlog. Does
    nothing where malloc is not glibc's, which has this switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


def bound_unpacking(most_bytes: int) -> None:
    """Bound the memory of compressed batches that are unpacked, for every consumer of this process."""
    BOUND.most_bytes = most_bytes
