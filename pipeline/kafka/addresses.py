"""Impossible addresses that a broker may advertise: a host name with an empty label, or port 70000.

Python raises a ValueError or an OverflowError for them, and aiokafka 0.14 expects neither (`aiokafka/client.py`,
`_get_conn`). One such broker silently ends the task that updates a client's metadata, and everything that waits for
metadata then waits for ever.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError

_CONNECT: Final = AIOKafkaConnection.connect


def expect_impossible_addresses() -> None:
    """Make the clients of this process treat a broker with an impossible address as unreachable."""
    AIOKafkaConnection.connect = _connect


async def _connect(connection: AIOKafkaConnection) -> Any:
    try:
        return await _CONNECT(connection)
    except OSError:  # includes the certificate errors, which are ValueErrors too
        raise
    except (ValueError, OverflowError) as error:
        raise KafkaConnectionError(f"its address is invalid: {error}") from error
