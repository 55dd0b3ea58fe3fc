from __future__ import annotations

import pytest

from pipeline.bootstrap.roles import topic_use
from pipeline.bootstrap.start import retention_seconds
from pipeline.kafka.topics import FoundTopic
from pipeline.settings import load_settings
from pipeline.settings.choices import Role

SETTINGS = load_settings({"PIPELINE_RAW_TOPIC_RETENTION_HOURS": "2", "PIPELINE_RECORDS_TOPIC_RETENTION_HOURS": "-1"})


def found(**configuration: str) -> dict[str, FoundTopic]:
    topic = FoundTopic(
        partitions=1, configuration={name.replace("_", "."): value for name, value in configuration.items()}
    )
    return {SETTINGS.raw_topic: topic, **{own.records_topic: topic for own in SETTINGS.destinations}}


@pytest.mark.parametrize("role", Role)
def test_the_retention_is_what_the_cluster_tells(role: Role) -> None:
    assert retention_seconds(topic_use(role, SETTINGS).reads, found(retention_ms="1500")) == 1.5
    assert retention_seconds(topic_use(role, SETTINGS).reads, found(retention_ms="-1")) == float("inf")


def test_where_it_tells_nothing_the_retention_is_what_is_wanted_of_the_topic() -> None:
    assert retention_seconds(topic_use(Role.PROCESSOR, SETTINGS).reads, found()) == 7200
    assert retention_seconds(topic_use(Role.SEGMENT_SINK, SETTINGS).reads, found()) == float("inf")
