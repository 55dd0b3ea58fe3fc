"""A foreign producer leaves a transaction open: messages after it cannot be read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from pipeline.settings.choices import Role
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline
from tests.integration.test_end_to_end import numbers, write
from tests.integration.test_kill import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import WorkerProcess


async def until_said_no_more(worker: WorkerProcess, text: str) -> None:
    """Wait until `/readyz` does not contain a text any more."""
    async with asyncio.timeout(60):
        while True:
            if text not in (await worker.get("/readyz"))[1]:
                return
            await asyncio.sleep(0.1)


async def until(worker: WorkerProcess, reached: Callable[[dict[str, float]], bool]) -> None:
    """Wait until the metrics of a worker fulfil a condition."""
    async with asyncio.timeout(60):
        while True:
            if reached(await numbers(worker)):
                return
            await asyncio.sleep(0.1)


@pytest.mark.real_only("transactions")
async def test_messages_behind_an_open_transaction_are_counted_and_timed_until_it_ends(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path) as pipeline:
        worker, _ = [await pipeline.start(role) for role in SEGMENT_ROLES]
        await worker.said("/readyz", '"ok": true')
        producer = Producer(
            {
                "bootstrap.servers": broker.bootstrap_servers,
                "transactional.id": broker.unique("transaction"),
                "transaction.timeout.ms": 120_000,
            }
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        first = click(0, "u-1")
        producer.produce(pipeline.raw_topic, key=first.key, value=first.value, partition=1)
        assert producer.flush(30) == 0
        await write(pipeline, [replace(click(number, "u-1"), partition=1) for number in range(1, 4)])

        await until(worker, lambda told: told["hidden_messages"] == 4 and told["hidden_seconds"] > 1)
        told = await numbers(worker)
        assert (told["consumer_lag_messages"], told["events_received_total"]) == (0, 0), "nothing else tells of them"

        await asyncio.to_thread(producer.commit_transaction, 30)
        await pipeline.accepted(4)
        await until(worker, lambda told: told["hidden_messages"] == told["hidden_seconds"] == 0)
        assert [await each.stop() for each in pipeline.workers] == [0, 0]


@pytest.mark.real_only("transactions")
async def test_a_transaction_that_stays_open_is_mentioned_where_an_operator_looks_and_makes_nothing_unready(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path) as pipeline:
        worker = await pipeline.start(Role.PROCESSOR, program=("tests.integration.quick_notes",))
        await worker.said("/readyz", '"ok": true')
        producer = Producer(
            {"bootstrap.servers": broker.bootstrap_servers, "transactional.id": broker.unique("transaction")}
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        first = click(0, "u-1")
        producer.produce(pipeline.raw_topic, key=first.key, value=first.value, partition=1)
        assert producer.flush(30) == 0
        assert await worker.said("/readyz", "; 1 messages of partition") == 200
        producer.abort_transaction(30)
        await until_said_no_more(worker, "messages of partition")
        assert await worker.stop() == 0
