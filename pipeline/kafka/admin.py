"""Short-lived connections to a cluster for administrative requests, and why one cannot be opened.

KafkaUnreachableError   no broker could be reached; lists the answer of each broker and what to check
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pipeline.kafka.errors import KafkaUnreachableError
from pipeline.kafka.knocking import MILLISECONDS, knock, words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.kafka.connection import ConnectionOptions


@asynccontextmanager
async def admin_client(connection: ConnectionOptions, *, timeout_seconds: float) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open a client for administrative requests. `timeout_seconds` bounds each attempt and each request.

    Raises:
        KafkaUnreachableError: no broker can be reached.
    """
    await _find_broker(connection, timeout_seconds)
    client = AIOKafkaAdminClient(**connection, request_timeout_ms=round(timeout_seconds * MILLISECONDS))
    try:
        await client.start()
        yield client
    except (KafkaError, TimeoutError) as error:
        raise KafkaUnreachableError(f"A request to Kafka failed: {words(error)}.") from error
    finally:
        await client.close()


async def _find_broker(connection: ConnectionOptions, timeout_seconds: float) -> None:
    """Raise unless a broker answers: the admin client itself would only log why none does."""
    refusals = []
    for server in connection["bootstrap_servers"].split(","):
        refused = await knock(server, connection, timeout_seconds=timeout_seconds)
        if refused is None:
            return
        refusals.append(refused.text)
    raise KafkaUnreachableError("No Kafka broker can be used.", refusals)
