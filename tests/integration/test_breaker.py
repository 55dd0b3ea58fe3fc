"""A deployment that rejects everything stops: few of its results are written, and a signal still ends the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.breaker import ALWAYS_ALLOWED
from pipeline.settings.choices import Role
from tests.integration.clients import RawMessage, committed_offsets, eventually, read_topic
from tests.integration.pipeline_processes import running_pipeline
from tests.integration.test_end_to_end import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

ALL_BAD = 200


async def test_a_template_that_makes_everything_a_reject_stops_the_processor(broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path, partitions=1, SHUTDOWN_TIMEOUT_SECONDS="60") as pipeline:
        await write(pipeline, [RawMessage(key=b"u", value=b'{"evnt":1}', partition=0) for _ in range(ALL_BAD)])
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.said("/readyz", "would become dead letters") == 503
        assert (await processor.get("/healthz"))[0] == 200
        assert await processor.said("/metrics", 'onesignal_pipeline_holding{reason="breaker"} 1.0') == 200
        assert await processor.stop() == 0, pipeline.logs()
        servers = pipeline.broker.bootstrap_servers
        letters = len(read_topic(servers, pipeline.dead_letter_topic))
        assert letters <= ALWAYS_ALLOWED  # none, unless the first message batch was that small
        assert committed_offsets(servers, pipeline.processor_group, pipeline.raw_topic) == {0: letters}

        pipeline.settings = {**pipeline.settings, "DEAD_LETTER_MAX_SHARE": "1"}
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.said("/readyz", "ready") == 200
        await eventually(lambda: len(read_topic(servers, pipeline.dead_letter_topic)) == ALL_BAD, within_seconds=60)
