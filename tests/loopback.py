"""Ports of this machine for the programs that tests start."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

_OUTGOING_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST_OUTGOING_PORT: Final = 32_768
"""Linux's default."""
_chance: Final = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Find loopback ports that nobody uses now.

    They are none of those from which the kernel takes one for each outgoing connection: among thousands of these it
    would take one of ours before the program of a test has started.
    """
    first = int(_OUTGOING_PORTS.read_text().split()[0]) if _OUTGOING_PORTS.exists() else _FIRST_OUTGOING_PORT
    ports: list[int] = []
    with ExitStack() as taken:
        while len(ports) < count:
            port = _chance.randrange(first // 2, first)
            with suppress(OSError):
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports


def free_port() -> int:
    """Find one."""
    return free_ports(1)[0]
