"""Free ports for the programs that tests start."""

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
    """Return loopback ports that are not in use now.

    They are outside the range from which the kernel assigns ports to outgoing connections: among thousands of
    connections it would assign one of ours before the program of a test has started.
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
    """Return one free loopback port."""
    return free_ports(1)[0]
