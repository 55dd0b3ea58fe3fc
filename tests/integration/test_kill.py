from __future__ import annotations

import asyncio
import itertools
import random
from typing import TYPE_CHECKING

import orjson

from tests.integration.clients import RawMessage, produce
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline
from tests.integration.stream_workers import SESSION_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

ROUNDS = 10
EVENTS_A_ROUND = 1_500
USERS = 60


def click(number: int, user: str) -> RawMessage:
    event = {
        "event": {
            "kind": "message.push.clicked",
            "id": f"{number:08d}-0000-4000-8000-000000000000",
            "timestamp": 1_767_225_600 + number,
            "external_id": user,
            "subscription_id": f"s-{user}",
        },
        "message": {"id": "m-1", "name": "a name"},
    }
    return RawMessage(value=orjson.dumps(event), key=user.encode())


async def test_ten_rounds_of_killing_both_workers_lose_nothing_and_keep_the_order_of_each_user(
    broker: Broker, tmp_path: Path
) -> None:
    chance = random.Random(20260101)
    numbers = itertools.count()
    written: dict[str, list[str]] = {}
    is_ours = broker.embedded is not None or broker.server is not None
    async with running_pipeline(
        broker,
        tmp_path,
        MAX_POLL_RECORDS="100",
        SEGMENT_MAX_BATCH_RECORDS="50",
        # The successor of a killed worker waits this long. A worker that is evicted by mistake does not matter here.
        SESSION_TIMEOUT_SECONDS="2" if is_ours else str(SESSION_SECONDS),
    ) as pipeline:
        for round_number in range(ROUNDS):
            processor, sink = [await pipeline.start(role) for role in SEGMENT_ROLES]
            events = [click(next(numbers), f"u-{chance.randrange(USERS)}") for _ in range(EVENTS_A_ROUND)]
            await asyncio.to_thread(produce, broker.bootstrap_servers, pipeline.raw_topic, events)
            for event in events:
                decoded = orjson.loads(event.value or b"")["event"]
                written.setdefault(decoded["external_id"], []).append(decoded["id"])
            await pipeline.accepted(round_number * EVENTS_A_ROUND + chance.randrange(1, EVENTS_A_ROUND // 2))
            for worker in chance.sample([processor, sink], 2):
                await worker.kill()
        last = [await pipeline.start(role) for role in SEGMENT_ROLES]
        await pipeline.accepted(ROUNDS * EVENTS_A_ROUND)
        # Uncommitted messages of a killed worker are processed again, some of them after the last new record.
        await pipeline.settled()
        assert [await worker.stop() for worker in last] == [0, 0], pipeline.logs()

        accepted: dict[str, list[str]] = {}
        for message_id, user in pipeline.segment.ledger.accepted.items():
            accepted.setdefault(user, []).append(message_id)
        assert accepted == written
