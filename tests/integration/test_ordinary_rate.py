"""At 1,000 events per second a worker sends few requests to Kafka and writes few log lines."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pytest

from tests.bench.steady_feed import feed
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

PARTITIONS: Final = 12
RATE: Final = 1_000
WARM_SECONDS: Final = 3
SECONDS: Final = 8
MOST_A_SECOND: Final = {"FetchRequest": 12, "ProduceRequest": 24, "OffsetCommitRequest": 12}


@pytest.mark.real_only("brokers that collect")
async def test_a_thousand_events_a_second_take_few_requests_and_no_line_of_the_log_for_a_batch(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, LOG_FORMAT="json") as pipeline:
        reports = {role: tmp_path / f"{role.value}.json" for role in SEGMENT_ROLES}
        workers = [
            await pipeline.start(role, program=("tests.bench.contestants.counted", str(report)))
            for role, report in reports.items()
        ]
        for worker in workers:
            await worker.said("/readyz", "ready")
        feeding = asyncio.to_thread(
            feed, broker.bootstrap_servers, pipeline.raw_topic, rate=RATE, seconds=WARM_SECONDS + SECONDS + 1
        )
        began = int(time.time()) + WARM_SECONDS
        written = await feeding
        await pipeline.accepted(written)
        for worker in workers:
            assert await worker.stop() == 0
    window = range(began, began + SECONDS)
    for role, report in reports.items():
        counts: Counter[str] = Counter()
        for kind, second, count in json.loads(report.read_text()):
            counts[kind] += count if second in window else 0
        a_second = {kind: counts[kind] / SECONDS for kind in MOST_A_SECOND}
        assert all(a_second[kind] <= most for kind, most in MOST_A_SECOND.items()), (role, a_second)
        assert a_second["FetchRequest"] > 1, "nothing was counted"
    for worker in workers:
        said = [json.loads(line) for line in worker.log.read_text().splitlines() if line.startswith("{")]
        inside = [each for each in said if began <= seconds_of(each["timestamp"]) < began + SECONDS]
        assert len(inside) <= 1 + SECONDS // 10 + 1, inside


def seconds_of(moment: str) -> float:
    """Return a log line's time, in seconds since the epoch."""
    return datetime.fromisoformat(moment).timestamp()
