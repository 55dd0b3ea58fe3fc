"""Addresses that a broker advertises and that nothing can have: a host name with an empty label, or port 70000.

Python raises a ValueError or an OverflowError for them, and aiokafka 0.14 expects neither (`aiokafka/client.py`,
`_get_conn`). One such broker ends the task that keeps a client's metadata, without a word, and whatever waits for
metadata then waits for ever.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError

_CONNECT: Final = AIOKafkaConnection.connect


def expect_impossible_addresses() -> None:
    """Let the clients of this process take a broker with such an address for one that cannot be reached."""
    AIOKafkaConnection.connect = _connect


async def _connect(connection: AIOKafkaConnection) -> Any:
    try:
        return await _CONNECT(connection)
    except OSError:  # among them a certificate's error, which is a ValueError too
        raise
    except (ValueError, OverflowError) as error:
        raise KafkaConnectionError(f"its address cannot be used: {error}") from error
