from __future__ import annotations

from typing import Final

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.structs import BrokerMetadata

from pipeline.kafka.connection import ConnectionOptions, connection_options
from pipeline.kafka.knocking import knock
from pipeline.settings.loading import load_settings

BROKERS: Final = "127.0.0.1:9092"
IMPOSSIBLE: Final = [
    ("kafka-1..example", 9092),
    (f"{'k' * 64}.example", 9092),
    ("127.0.0.1", 70_000),
    ("127.0.0.1", -1),
]


@pytest.fixture(autouse=True)
def connection() -> ConnectionOptions:
    """Return the options that every client accepts. This call also prepares aiokafka."""
    return connection_options(load_settings({"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": BROKERS}))


@pytest.mark.parametrize(("host", "port"), IMPOSSIBLE)
async def test_a_broker_whose_address_nothing_can_have_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, host: str, port: int
) -> None:
    client = AIOKafkaClient(bootstrap_servers=BROKERS)
    monkeypatch.setattr(client.cluster, "brokers", lambda: {BrokerMetadata(1, host, port, None)})
    monkeypatch.setattr(client.cluster, "broker_metadata", lambda _number: BrokerMetadata(1, host, port, None))
    assert await client.ready(1) is False
    assert await client._metadata_update(client.cluster, []) is False


@pytest.mark.parametrize(("host", "port"), IMPOSSIBLE)
async def test_it_is_named_where_new_connections_are_tried(connection: ConnectionOptions, host: str, port: int) -> None:
    refused = await knock(f"{host}:{port}", connection, timeout_seconds=5)
    assert refused is not None
    assert refused.hold is None
    assert refused.text.startswith(f"{host}:{port}: ")
    assert "its address is invalid" in refused.text
