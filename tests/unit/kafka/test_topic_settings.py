from __future__ import annotations

import pytest

from pipeline.bootstrap.roles import topic_uses
from pipeline.kafka.topic_plans import plan_topics
from pipeline.kafka.topic_settings import setting_faults, setting_warnings
from pipeline.kafka.topic_use import TopicUse, UsedTopic, topics_of
from pipeline.kafka.topics import FoundTopic, find_faults, find_warnings
from pipeline.settings import Role, Settings, load_settings

BOTH = (Role.PROCESSOR, Role.SEGMENT_SINK)
REMEMBERING = {
    "PIPELINE_TRACKED_USERS_SECRET": "a secret that is long enough",
    "PIPELINE_TRACKED_USERS_FEED_TOPIC": "feed",
    "PIPELINE_MESSAGE_CATALOGUE": "true",
}
RAW, RECORDS, LETTERS = "onesignal.events", "segment.records", "onesignal.dead-letters"
USERS, FEED, CATALOGUE = "onesignal.tracked-users", "feed", "onesignal.message-catalogue"
MESSAGES, STATE = (RAW, RECORDS, LETTERS), (USERS, FEED, CATALOGUE)
WRITTEN = (RECORDS, LETTERS, USERS, CATALOGUE)


def settings() -> Settings:
    return load_settings(REMEMBERING)


def uses(*roles: Role) -> tuple[TopicUse, ...]:
    """Return how these roles, by default all, use their topics."""
    return topic_uses(roles or BOTH, settings())


def topics(*roles: Role) -> tuple[UsedTopic, ...]:
    return topics_of(uses(*roles))


def all_topics(replication_factor: int = 3, **configuration: str) -> dict[str, FoundTopic]:
    """Return every topic of the pipeline with a configuration, in whose names `_` stands for a dot."""
    told = {name.replace("_", "."): value for name, value in configuration.items()}
    return {
        name: FoundTopic(partitions=1, configuration=told, replication_factor=replication_factor)
        for name in (*MESSAGES, *STATE)
    }


@pytest.mark.parametrize(
    ("found", "named", "says"),
    [
        (all_topics(cleanup_policy="compact"), MESSAGES, "deletes all but the latest message of each key"),
        (all_topics(cleanup_policy="compact,delete"), MESSAGES, "--add-config cleanup.policy=delete`."),
        (all_topics(1, min_insync_replicas="2"), WRITTEN, "--add-config min.insync.replicas=1`."),
        (all_topics(3, min_insync_replicas="4"), WRITTEN, "nothing can be written to it"),
    ],
)
def test_a_setting_that_loses_messages_or_takes_none_is_a_fault_of_every_topic_that_has_it(
    found: dict[str, FoundTopic], named: tuple[str, ...], says: str
) -> None:
    faults = setting_faults(found, topics())
    assert [fault.topic for fault in faults] == list(named)
    assert all(f"Topic `{fault.topic}`" in fault.text and says in fault.text for fault in faults)
    assert set(find_faults(found, settings(), uses())) >= {fault.text for fault in faults}


def test_all_faults_of_a_topic_are_listed_at_once() -> None:
    found = all_topics(1, cleanup_policy="compact,delete", min_insync_replicas="2")
    faults = setting_faults(found, topics(Role.SEGMENT_SINK))
    assert [fault.topic for fault in faults] == [RECORDS] * 2 + [LETTERS] * 2


@pytest.mark.parametrize(
    "found",
    [
        {},
        all_topics(0, min_insync_replicas="2"),
        all_topics(retention_ms="3600000", cleanup_policy="delete"),
        all_topics(retention_ms="-1"),
        all_topics(1, min_insync_replicas="1", unclean_leader_election_enable="true"),
        all_topics(2, min_insync_replicas="2", unclean_leader_election_enable="false", retention_bytes="-1"),
    ],
)
def test_what_loses_nothing_is_neither_a_fault_nor_a_warning(found: dict[str, FoundTopic]) -> None:
    assert setting_faults(found, topics()) == ()
    assert list(setting_warnings(found, topics())) == []


@pytest.mark.parametrize(
    ("found", "named", "says"),
    [
        (all_topics(retention_ms="35000"), MESSAGES, "keeps messages for only 35000 ms (retention.ms)"),
        (all_topics(retention_ms="0"), MESSAGES, "longer than the longest outage"),
        (all_topics(retention_bytes="1000000"), (*MESSAGES, *STATE), "deleted before their time. Set it to -1"),
        (all_topics(2, min_insync_replicas="1"), (*MESSAGES, *STATE), "--add-config min.insync.replicas=2`."),
        (all_topics(3, min_insync_replicas="3"), (*MESSAGES, *STATE), "while one broker is down nothing is written"),
        (
            all_topics(unclean_leader_election_enable="true"),
            (*MESSAGES, *STATE),
            "--add-config unclean.leader.election.enable=false`.",
        ),
        (
            all_topics(message_timestamp_type="CreateTime"),
            WRITTEN,
            "--add-config message.timestamp.type=LogAppendTime`.",
        ),
        (all_topics(message_timestamp_type="LogAppendTime"), (FEED,), "is counted in the month of writing"),
    ],
)
def test_a_setting_that_loses_messages_when_more_goes_wrong_is_a_warning(
    found: dict[str, FoundTopic], named: tuple[str, ...], says: str
) -> None:
    warnings = list(setting_warnings(found, topics()))
    assert [warning.split("`")[1] for warning in warnings] == list(named)
    assert all(says in warning for warning in warnings)
    assert set(find_warnings(found, settings(), uses())) >= set(warnings)
    assert setting_faults(found, topics()) == ()


@pytest.mark.parametrize(
    "limit",
    ["message_timestamp_before_max_ms", "message_timestamp_after_max_ms", "message_timestamp_difference_max_ms"],
)
def test_narrow_limits_of_time_matter_only_where_writers_give_it(limit: str) -> None:
    narrow = {limit: "1000"}
    told = setting_warnings(all_topics(3, message_timestamp_type="CreateTime", **narrow), topics())
    named = [warning.split("`")[1] for warning in told if "refuses messages whose time is 1000 ms off" in warning]
    assert list(dict.fromkeys(named)) == list(WRITTEN)
    by_brokers = setting_warnings(all_topics(3, message_timestamp_type="LogAppendTime", **narrow), topics())
    assert not any("refuses messages" in warning for warning in by_brokers)


def test_topics_as_they_are_planned_give_neither_faults_nor_warnings() -> None:
    for factor in ("1", "3"):
        wanted = load_settings({**REMEMBERING, "PIPELINE_TOPIC_REPLICATION_FACTOR": factor})
        found = {
            plan.name: FoundTopic(
                partitions=plan.partitions,
                configuration=plan.configuration,
                replication_factor=plan.replication_factor,
            )
            for plan in plan_topics(wanted, topics_of(topic_uses(BOTH, wanted)))
        }
        assert find_faults(found, wanted, topic_uses(BOTH, wanted)) == ()
        assert find_warnings(found, wanted, topic_uses(BOTH, wanted)) == ()


def test_brokers_give_the_time_to_what_workers_write_and_to_nothing_else() -> None:
    planned = plan_topics(settings(), topics())
    by_brokers = [each.name for each in planned if each.configuration.get("message.timestamp.type") == "LogAppendTime"]
    assert by_brokers == list(WRITTEN)


def test_topics_whose_settings_the_cluster_does_not_tell_get_one_warning_and_no_fault() -> None:
    told = all_topics(3, cleanup_policy="delete", message_timestamp_type="LogAppendTime")
    found = {**told, RECORDS: FoundTopic(partitions=1), LETTERS: FoundTopic(partitions=1)}
    assert find_faults(found, settings(), uses(Role.SEGMENT_SINK)) == ()
    (warning,) = find_warnings(found, settings(), uses(Role.SEGMENT_SINK))
    assert warning.startswith(f"The cluster does not report how `{RECORDS}`, `{LETTERS}` are configured")
    assert "DescribeConfigs" in warning
    assert find_warnings(told, settings(), uses(Role.SEGMENT_SINK)) == ()
