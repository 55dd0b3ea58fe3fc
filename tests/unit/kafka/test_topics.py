from __future__ import annotations

import pytest

from pipeline.kafka.topic_plans import TopicPlan, plan_topics
from pipeline.kafka.topics import FoundTopic, find_faults
from pipeline.settings import Role, Settings, load_settings

BOTH = tuple(Role)
HEALTHY = {
    "onesignal.events": FoundTopic(partitions=12),
    "segment.records": FoundTopic(partitions=12),
    "onesignal.dead-letters": FoundTopic(partitions=12),
}


def _settings(**variables: str) -> Settings:
    return load_settings({f"PIPELINE_{name}": value for name, value in variables.items()})


def test_topics_are_planned_as_the_settings_say() -> None:
    planned = plan_topics(
        _settings(
            RAW_TOPIC="raw",
            TOPIC_PARTITIONS="6",
            TOPIC_REPLICATION_FACTOR="2",
            DEAD_LETTER_TOPIC_PARTITIONS="1",
            RAW_TOPIC_RETENTION_HOURS="1",
            RECORDS_TOPIC_RETENTION_HOURS="-1",
            TOPIC_COMPRESSION="zstd",
        )
    )
    assert [(plan.name, plan.partitions, plan.replication_factor) for plan in planned] == [
        ("raw", 6, 2),
        ("segment.records", 6, 2),
        ("onesignal.dead-letters", 1, 2),
    ]
    assert [plan.configuration["retention.ms"] for plan in planned] == ["3600000", "-1", "2592000000"]
    assert {plan.configuration["compression.type"] for plan in planned} == {"zstd"}
    assert {plan.configuration["cleanup.policy"] for plan in planned} == {"delete"}


def test_dead_letters_take_the_partitions_of_the_others_unless_told() -> None:
    assert [plan.partitions for plan in plan_topics(_settings(TOPIC_PARTITIONS="5"))] == [5, 5, 5]


def test_a_plan_is_a_value() -> None:
    plan = TopicPlan(name="t", partitions=1, replication_factor=1, configuration={})
    assert plan == TopicPlan(name="t", partitions=1, replication_factor=1, configuration={})


def test_healthy_topics_have_no_faults() -> None:
    assert find_faults(HEALTHY, _settings(), BOTH) == ()


def test_every_missing_topic_is_named_with_its_setting() -> None:
    faults = find_faults({}, _settings(), BOTH)
    assert [fault.split("`")[1] for fault in faults] == [
        "onesignal.events",
        "segment.records",
        "onesignal.dead-letters",
    ]
    assert "run `onesignal-pipeline topics create`, or correct PIPELINE_RAW_TOPIC." in faults[0]


@pytest.mark.parametrize(
    ("role", "needed"),
    [
        (Role.PROCESSOR, ["onesignal.events", "segment.records", "onesignal.dead-letters"]),
        (Role.SEGMENT_SINK, ["segment.records", "onesignal.dead-letters"]),
    ],
)
def test_a_role_needs_its_own_topics_only(role: Role, needed: list[str]) -> None:
    assert [fault.split("`")[1] for fault in find_faults({}, _settings(), [role])] == needed


def test_partition_counts_that_differ_are_a_fault_of_the_processor() -> None:
    found = HEALTHY | {"segment.records": FoundTopic(partitions=6)}
    assert find_faults(found, _settings(), [Role.PROCESSOR]) == (
        "Topic `onesignal.events` has 12 partitions and `segment.records` has 6: records keep their event's partition, "
        "so give both the same number, or set PIPELINE_PARTITIONING to `repartition`.",
    )
    assert find_faults(found, _settings(), [Role.SEGMENT_SINK]) == ()


def test_partition_counts_may_differ_when_records_are_partitioned_anew() -> None:
    found = HEALTHY | {"segment.records": FoundTopic(partitions=6)}
    assert find_faults(found, _settings(PARTITIONING="repartition"), BOTH) == ()


def test_the_dead_letter_topic_may_have_any_number_of_partitions() -> None:
    assert find_faults(HEALTHY | {"onesignal.dead-letters": FoundTopic(partitions=1)}, _settings(), BOTH) == ()


def test_partitions_that_nobody_serves_are_a_fault() -> None:
    found = HEALTHY | {"segment.records": FoundTopic(partitions=12, leaderless=(3, 7))}
    assert find_faults(found, _settings(), BOTH) == (
        "Topic `segment.records` has no leader for partition 3, 7: see to the brokers that keep it.",
    )


def test_all_faults_are_listed_at_once() -> None:
    found = {
        "onesignal.events": FoundTopic(partitions=12, leaderless=(0,)),
        "segment.records": FoundTopic(partitions=6),
    }
    assert len(find_faults(found, _settings(), BOTH)) == 3


def test_the_dead_letter_topic_takes_the_largest_raw_message_and_its_headers() -> None:
    raw, _, dead_letters = plan_topics(_settings())
    largest_by_default = 1_048_588  # Kafka's own default of max.message.bytes
    assert "max.message.bytes" not in raw.configuration
    assert int(dead_letters.configuration["max.message.bytes"]) > largest_by_default + 10_000
