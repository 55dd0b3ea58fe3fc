"""Memory allocation of a process: the garbage collector, malloc, and the bound of decompressed batches."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

from pipeline.kafka.fetched.unpacking import BOUND

COLLECTOR_THRESHOLD: Final = 10_000
"""Container objects allocated before a collection of the youngest generation. Python's default is 700."""
KEPT_BYTES: Final = 32 * 1024 * 1024
"""Freed memory that stays with the process. An answer to a fetch and its messages take a part of it."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc, malloc.h


def spare_the_collector() -> None:
    """Exclude permanent objects from garbage collection, and collect the rest less often.

    Messages and records have no cycles. Following them again and again was an eighth of a processor's CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD)


def keep_freed_memory() -> None:
    """Let malloc keep freed memory, instead of returning it to the system and requesting it again.

    An answer to a fetch has a few megabytes, and so have its copies on the way to messages. Each time they were freed
    and allocated again, the system had to clear their pages: up to a seventh of a sink's CPU in a backlog. Does nothing
    if malloc is not glibc's, the only one with this option.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


def bound_unpacking(most_bytes: int) -> None:
    """Bound the memory of decompressed batches, for all consumers of this process together."""
    BOUND.most_bytes = most_bytes
