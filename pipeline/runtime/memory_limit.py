"""How much memory this process may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
_LIMITS: Final = ("memory.max", "memory/memory.limit_in_bytes")
"""Files of cgroups version 2 and version 1, as a container sees its own limit."""


def memory_limit_bytes(*, cgroups: Path = CGROUPS) -> int:
    """Return the memory limit of the container, or the memory of the machine if that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in _LIMITS:
        try:
            limit = (cgroups / name).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if limit.isdecimal():
            return min(int(limit), machine)
    return machine
