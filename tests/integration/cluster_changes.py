"""Changes by others to topics and groups that the pipeline uses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewPartitions

if TYPE_CHECKING:
    from tests.integration.brokers import Broker

_SECONDS = 30
_TEXT = String("utf-8")


def _admin(broker: Broker) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})


def add_partitions(broker: Broker, topic: str, total: int) -> None:
    """Increase a topic's number of partitions to `partitions`."""
    admin = _admin(broker)
    admin.create_partitions([NewPartitions(topic, total)])[topic].result(_SECONDS)


def delete_topic(broker: Broker, topic: str) -> None:
    """Delete a topic and everything in it."""
    admin = _admin(broker)
    admin.delete_topics([topic])[topic].result(_SECONDS)


def limit_messages(broker: Broker, topic: str, message_bytes: int) -> None:
    """Set the maximum batch size of a topic."""
    set_topic(broker, topic, max_message_bytes=message_bytes)


def set_topic(broker: Broker, topic: str, **settings: str | float) -> None:
    """Change settings of a topic; `_` in their names stands for a dot."""
    changes = [
        ConfigEntry(name.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
        for name, value in settings.items()
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=changes)
    admin = _admin(broker)
    admin.incremental_alter_configs([resource])[resource].result(_SECONDS)


def delete_group(broker: Broker, group: str) -> None:
    """Delete a group that has no members, with its committed offsets."""
    admin = _admin(broker)
    admin.delete_consumer_groups([group])[group].result(_SECONDS)


class _OffsetDeleteResponse(Response):  # type: ignore[misc] # aiokafka's classes have no usable types
    API_KEY = 47
    API_VERSION = 0
    SCHEMA = Schema(
        ("error_code", Int16),
        ("throttle_time_ms", Int32),
        ("topics", Array(("topic", _TEXT), ("partitions", Array(("partition", Int32), ("error_code", Int16))))),
    )


class _OffsetDelete(RequestStruct):  # type: ignore[misc] # aiokafka's classes have no usable types
    API_KEY = 47
    API_VERSION = 0
    RESPONSE_TYPE = _OffsetDeleteResponse
    SCHEMA = Schema(("group", _TEXT), ("topics", Array(("topic", _TEXT), ("partitions", Array(Int32)))))


class _OffsetDeleteRequest(Request[_OffsetDelete]):  # type: ignore[misc] # aiokafka's classes have no usable types
    API_KEY = 47

    def __init__(self, group: str, topic: str, partition: int) -> None:
        self._fields = (group, [(topic, [partition])])

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(*self._fields)


async def delete_offset(broker: Broker, group: str, topic: str, partition: int) -> int:
    """Delete a committed offset, as `kafka-consumer-groups --delete-offsets` does; return the broker's error code."""
    client = AIOKafkaClient(bootstrap_servers=broker.bootstrap_servers)
    await client.bootstrap()
    try:
        async with asyncio.timeout(_SECONDS):
            node = await client.coordinator_lookup(CoordinationType.GROUP, group)
            answer = await client.send(node, _OffsetDeleteRequest(group, topic, partition))
    finally:
        await client.close()
    told = answer.to_object()
    codes: list[int] = [each["error_code"] for partition in told["topics"] for each in partition["partitions"]]
    return next(filter(None, (told["error_code"], *codes)), 0)
