"""Missing committed offsets: a first start logs a warning, and lost offsets are never taken for a first start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.settings.choices import Role
from tests.integration.clients import committed_offsets, eventually
from tests.integration.cluster_changes import delete_group, delete_offset
from tests.integration.pipeline_processes import Pipeline, running_pipeline
from tests.integration.test_end_to_end import write
from tests.integration.test_topics_that_change import clicks, started

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

GROUP_SUBSCRIBED_TO_TOPIC = 86
PARTITIONS = 2
BEGINS = "group has no committed offsets, starting at the beginning of the log"
GROUPS = "groups that are deleted"


async def worked_and_stopped(pipeline: Pipeline) -> None:
    """Deliver ten events to Segment, and stop both workers."""
    workers = await started(pipeline)
    await write(pipeline, clicks(0, 10, PARTITIONS))
    await pipeline.settled()
    assert [await worker.stop() for worker in workers] == [0, 0], pipeline.logs()


async def test_a_first_start_says_where_it_begins_and_a_second_one_has_nothing_to_say(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS) as pipeline:
        await write(pipeline, clicks(0, 10, PARTITIONS))
        await worked_and_stopped(pipeline)
        assert [worker.log.read_text().count(BEGINS) for worker in pipeline.workers] == [1, 1]
        again = await started(pipeline)
        await write(pipeline, clicks(20, 10, PARTITIONS))
        await pipeline.accepted(20)
        assert [worker.log.read_text().count(BEGINS) for worker in again] == [0, 0]


@pytest.mark.real_only(GROUPS)
async def test_a_processor_whose_group_was_deleted_does_not_start_until_somebody_says_where(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS) as pipeline:
        await worked_and_stopped(pipeline)
        delete_group(broker, pipeline.processor_group)
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.ended() == 1
        told = processor.log.read_text()
        assert f"The committed offsets of group {pipeline.processor_group} cannot be relied on" in told
        assert "PIPELINE_GROUP_START=earliest" in told
        assert "Traceback" not in told
        assert committed_offsets(broker.bootstrap_servers, pipeline.processor_group, pipeline.raw_topic) == {}

        pipeline.settings = {**pipeline.settings, "GROUP_START": "earliest"}
        processor = await pipeline.start(Role.PROCESSOR)
        await eventually(
            lambda: (
                committed_offsets(broker.bootstrap_servers, pipeline.processor_group, pipeline.raw_topic)
                == {0: 5, 1: 5}
            ),
            within_seconds=60,
        )
        assert processor.log.read_text().count(BEGINS) == 1


@pytest.mark.real_only(GROUPS)
async def test_a_sink_whose_group_was_deleted_begins_in_the_open_while_the_log_is_whole_and_else_not_at_all(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS) as pipeline:
        await worked_and_stopped(pipeline)
        delete_group(broker, pipeline.segment_sink_group)
        sink = await pipeline.start(Role.SEGMENT_SINK)
        await pipeline.settled()
        assert sink.log.read_text().count(BEGINS) == 1
        assert await sink.stop() == 0

        delete_group(broker, pipeline.segment_sink_group)
        broker.delete_records(pipeline.records_topic, 0, before_offset=5)
        sink = await pipeline.start(Role.SEGMENT_SINK)
        assert await sink.ended() == 1
        assert f"were removed from {pipeline.records_topic}[0]" in sink.log.read_text()


@pytest.mark.real_only(GROUPS)
async def test_a_worker_told_to_have_offsets_does_not_start_without(broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path, GROUP_START="committed") as pipeline:
        sink = await pipeline.start(Role.SEGMENT_SINK)
        assert await sink.ended() == 1
        assert "PIPELINE_GROUP_START requires them" in sink.log.read_text()


@pytest.mark.real_only(GROUPS)
async def test_the_offset_of_one_partition_cannot_be_deleted_under_a_worker_and_is_missed_at_the_next_start(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS) as pipeline:
        workers = await started(pipeline)
        await write(pipeline, clicks(0, 10, PARTITIONS))
        await pipeline.settled()
        partition = (pipeline.segment_sink_group, pipeline.records_topic, 0)
        assert await delete_offset(broker, *partition) == GROUP_SUBSCRIBED_TO_TOPIC
        assert [await worker.stop() for worker in workers] == [0, 0]
        assert await delete_offset(broker, *partition) == 0
        sink = await pipeline.start(Role.SEGMENT_SINK)
        assert await sink.ended() == 1
        assert f"it has none for {pipeline.records_topic}[0], although it has some for others" in sink.log.read_text()
