from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.bootstrap.roles import topic_uses
from pipeline.kafka import topic_plans, topics
from pipeline.kafka.topic_plans import TopicPlan
from pipeline.kafka.topic_use import topics_of
from pipeline.kafka.topics import FoundTopic
from pipeline.settings import Role, Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

BOTH = (Role.PROCESSOR, Role.SEGMENT_SINK)
HEALTHY = {
    "onesignal.events": FoundTopic(partitions=12),
    "segment.records": FoundTopic(partitions=12),
    "onesignal.dead-letters": FoundTopic(partitions=12),
}


def _settings(**variables: str) -> Settings:
    return load_settings({f"PIPELINE_{name}": value for name, value in variables.items()})


def find_faults(found: Mapping[str, FoundTopic], settings: Settings, roles: Collection[Role]) -> tuple[str, ...]:
    return topics.find_faults(found, settings, topic_uses(roles, settings))


def plan_topics(settings: Settings, *, raw_partitions: int | None = None) -> tuple[TopicPlan, ...]:
    wanted = topics_of(topic_uses(BOTH, settings))
    return topic_plans.plan_topics(settings, wanted, raw_partitions=raw_partitions)


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


def test_partition_counts_may_differ_when_records_are_repartitioned() -> None:
    found = HEALTHY | {"segment.records": FoundTopic(partitions=6)}
    assert find_faults(found, _settings(PARTITIONING="repartition"), BOTH) == ()


def test_the_dead_letter_topic_may_have_any_number_of_partitions() -> None:
    assert find_faults(HEALTHY | {"onesignal.dead-letters": FoundTopic(partitions=1)}, _settings(), BOTH) == ()


def test_partitions_that_nobody_serves_are_a_fault() -> None:
    found = HEALTHY | {"segment.records": FoundTopic(partitions=12, leaderless=(3, 7))}
    assert find_faults(found, _settings(), BOTH) == (
        "Topic `segment.records` has no leader for partition 3, 7: check the brokers that store it.",
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


REMEMBERING = {
    "TRACKED_USERS_SECRET": "a secret that is long enough",
    "TRACKED_USERS_FEED_TOPIC": "feed",
    "MESSAGE_CATALOGUE": "true",
}
MEMORIES = ("onesignal.tracked-users", "feed", "onesignal.message-catalogue")
COMPACTED = {"cleanup.policy": "compact,delete"}


def _remembering(**changes: FoundTopic) -> dict[str, FoundTopic]:
    counts = dict(zip(MEMORIES, (12, 12, 1), strict=True))
    return {
        **HEALTHY,
        **{name: FoundTopic(partitions=count, configuration=COMPACTED) for name, count in counts.items()},
        **{
            name: changes[short]
            for name, short in zip(MEMORIES, ("users", "feed", "catalogue"), strict=True)
            if short in changes
        },
    }


def test_topics_in_which_something_is_remembered_are_planned_where_they_are_in_use() -> None:
    planned = plan_topics(_settings(**REMEMBERING, TOPIC_PARTITIONS="6", MESSAGE_CATALOGUE_DAYS="2"))[3:]
    assert [(plan.name, plan.partitions) for plan in planned] == list(zip(MEMORIES, (6, 6, 1), strict=True))
    assert [plan.configuration["retention.ms"] for plan in planned] == ["3369600000", "3369600000", "172800000"]
    assert {plan.configuration["cleanup.policy"] for plan in planned} == {"compact,delete"}


def test_users_get_the_partitions_of_a_raw_topic_that_is_there() -> None:
    planned = plan_topics(_settings(**REMEMBERING, TOPIC_PARTITIONS="6"), raw_partitions=12)
    assert [plan.partitions for plan in planned] == [6, 6, 6, 12, 12, 1]


def test_the_processor_needs_the_topics_in_which_something_is_remembered() -> None:
    settings = _settings(**REMEMBERING)
    assert find_faults(_remembering(), settings, BOTH) == ()
    assert [fault.split("`")[1] for fault in find_faults(HEALTHY, settings, [Role.PROCESSOR])] == list(MEMORIES)
    assert find_faults(HEALTHY, settings, [Role.SEGMENT_SINK]) == ()


@pytest.mark.parametrize("short", ["users", "feed"])
def test_users_must_be_in_the_partitions_of_their_events(short: str) -> None:
    found = _remembering(**{short: FoundTopic(partitions=16, configuration=COMPACTED)})
    (fault,) = find_faults(found, _settings(**REMEMBERING), BOTH)
    assert "has 16 partitions and needs 12, as many as `onesignal.events`. Create one that has, and name it" in fault


def test_the_message_catalogue_is_one_partition() -> None:
    found = _remembering(catalogue=FoundTopic(partitions=2, configuration=COMPACTED))
    assert find_faults(found, _settings(**REMEMBERING), BOTH) == (
        "Topic `onesignal.message-catalogue` has 2 partitions and needs 1. Create one that has, and name it in "
        "PIPELINE_MESSAGE_CATALOGUE_TOPIC.",
    )


def test_a_memory_that_is_not_compacted_is_a_fault() -> None:
    found = _remembering(users=FoundTopic(partitions=12, configuration={"cleanup.policy": "delete"}))
    (fault,) = find_faults(found, _settings(**REMEMBERING), BOTH)
    assert fault.startswith("Topic `onesignal.tracked-users` is not compacted (cleanup.policy=delete): ")
    untold = _remembering(users=FoundTopic(partitions=12))
    assert find_faults(untold, _settings(**REMEMBERING), BOTH) == (), "a cluster need not tell its configuration"


WEEK = {"cleanup.policy": "compact,delete", "retention.ms": "604800000"}


@pytest.mark.parametrize(("short", "topic"), [("users", "onesignal.tracked-users"), ("feed", "feed")])
def test_users_are_not_forgotten_within_the_month(short: str, topic: str) -> None:
    found = _remembering(**{short: FoundTopic(partitions=12, configuration=WEEK)})
    (fault,) = find_faults(found, _settings(**REMEMBERING), BOTH)
    assert fault == (
        f"Topic `{topic}` is kept for 604800000 ms (retention.ms): users would be forgotten while raw events of their "
        "month can still be read. Set it to 3283200000 or more: the longest month, and the raw topic's 604800000."
    )
    assert find_faults(found, _settings(**REMEMBERING), [Role.SEGMENT_SINK]) == ()


@pytest.mark.parametrize(
    "configuration",
    [WEEK | {"retention.ms": "-1"}, WEEK | {"retention.ms": "3283200000"}, {"cleanup.policy": "compact"}],
)
def test_users_that_are_kept_as_long_as_they_may_be_asked_for_are_no_fault(
    configuration: dict[str, str],
) -> None:
    users = FoundTopic(partitions=12, configuration=configuration)
    catalogue = FoundTopic(partitions=1, configuration=WEEK)
    assert find_faults(_remembering(users=users, catalogue=catalogue), _settings(**REMEMBERING), BOTH) == ()


@pytest.mark.parametrize(
    ("raw_ms", "kept_ms", "advice"),
    [
        (604_800_000, 3_283_199_999, "Set it to 3283200000 or more: the longest month, and the raw topic's 604800000."),
        (86_400_000, 2_764_800_000, None),
        (
            1_209_600_000,
            3_283_200_000,
            "Set it to 3888000000 or more: the longest month, and the raw topic's 1209600000.",
        ),
        (-1, 3_283_200_000, "The raw topic is kept for ever: set retention.ms to -1 too."),
        (-1, -1, None),
    ],
)
def test_the_raw_topics_retention_is_the_one_that_the_cluster_tells(
    raw_ms: int, kept_ms: int, advice: str | None
) -> None:
    users = FoundTopic(partitions=12, configuration=COMPACTED | {"retention.ms": str(kept_ms)})
    raw = FoundTopic(partitions=12, configuration={"retention.ms": str(raw_ms)})
    found = _remembering(users=users) | {"onesignal.events": raw}
    faults = find_faults(found, _settings(**REMEMBERING), BOTH)
    assert [fault.partition("can still be read. ")[2] for fault in faults] == ([] if advice is None else [advice])


def test_two_processors_of_one_raw_topic_list_each_fault_once() -> None:
    settings = _settings()
    (use,) = topic_uses([Role.PROCESSOR], settings)
    assert use.writes is not None
    other = replace(use, writes=replace(use.writes, name="other.records"), record_bytes=1_000_000)
    found = {"onesignal.events": FoundTopic(partitions=12, leaderless=(0,)), "other.records": FoundTopic(partitions=6)}
    faults = topics.find_faults(found, settings, [use, other])
    assert [fault.split("`")[1] for fault in faults] == [
        "onesignal.events",
        "segment.records",
        "onesignal.dead-letters",
        "onesignal.events",
    ]
    assert "`other.records` has 6" in faults[-1]
    small = {"max.message.bytes": "1500000"}
    limited = {name: FoundTopic(partitions=12, configuration=small) for name in (*HEALTHY, "other.records")}
    told = topics.find_faults(limited, settings, [use, other])
    assert [fault.split("`")[1] for fault in told] == ["onesignal.dead-letters", "other.records"]
