"""Write record batches byte for byte, including invalid ones that no client library would write."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NotLeaderForPartitionError, UnknownTopicOrPartitionError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.structs import TopicPartition

_TIMEOUT_MS = 20_000
_ALL_REPLICAS = -1
_NO_LEADER_YET = {NotLeaderForPartitionError.errno, UnknownTopicOrPartitionError.errno}


async def write_batch(bootstrap_servers: str, topic: str, partition: int, data: bytes) -> int:
    """Write a batch; return the offset that the broker assigned to it.

    Raises:
        AssertionError: the broker refused it.
    """
    client = AIOKafkaClient(bootstrap_servers=bootstrap_servers)
    await client.bootstrap()
    try:
        client.add_topic(topic)
        async with asyncio.timeout(_TIMEOUT_MS / 1_000):
            while True:
                error, offset = await _written(client, topic, partition, data)
                if error not in _NO_LEADER_YET:
                    break
                await asyncio.sleep(0.05)
        assert error == 0, f"the broker refused a batch with error {error}"
        return offset
    finally:
        await client.close()


async def _written(client: AIOKafkaClient, topic: str, partition: int, data: bytes) -> tuple[int, int]:
    await client.force_metadata_update()
    leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
    if leader is None or leader < 0:
        return NotLeaderForPartitionError.errno, -1
    topics = [(topic, [(partition, data)])]
    request = ProduceRequest(transactional_id=None, required_acks=_ALL_REPLICAS, timeout=_TIMEOUT_MS, topics=topics)
    answer: Any = await client.send(leader, request)
    ((_, ((_, error, offset, *_),)),) = answer.topics
    return int(error), int(offset)
