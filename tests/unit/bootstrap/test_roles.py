from __future__ import annotations

import pytest

from pipeline.bootstrap.roles import ROLES, checks_of, collect_seconds, requirements_of, topic_use, topic_uses
from pipeline.bootstrap.topic_table import TOPICS
from pipeline.kafka.topic_use import TopicKind
from pipeline.settings import Role, Settings, SettingsError, load_settings
from pipeline.settings.sections import FIELDS

EVERYTHING = {
    "PIPELINE_TRACKED_USERS_SECRET": "a secret that is long enough",
    "PIPELINE_TRACKED_USERS_FEED_TOPIC": "feed",
    "PIPELINE_MESSAGE_CATALOGUE": "true",
}


def settings(**values: str) -> Settings:
    return load_settings({f"PIPELINE_{name}": value for name, value in values.items()})


def test_every_role_is_in_the_table_in_the_order_in_which_they_are_started() -> None:
    assert list(ROLES) == list(Role)


def test_every_name_in_the_table_is_a_setting() -> None:
    for row in ROLES.values():
        named = (row.reads, row.group, *row.keyed, *filter(None, (row.writes, row.longest_wait)))
        assert set(named) <= set(FIELDS)
        assert {row.reads, *row.keyed, *filter(None, [row.writes])} <= set(TOPICS)


def test_every_kind_of_topic_is_in_the_table_of_topics() -> None:
    assert {row.kind for row in TOPICS.values()} == set(TopicKind)
    assert set(TOPICS) <= set(FIELDS)


@pytest.mark.parametrize(
    ("role", "asked_for"),
    [
        (Role.PROCESSOR, ["PIPELINE_KAFKA_BOOTSTRAP_SERVERS"]),
        (Role.SEGMENT_SINK, ["PIPELINE_KAFKA_BOOTSTRAP_SERVERS", "PIPELINE_SEGMENT_WRITE_KEY"]),
    ],
)
def test_a_role_asks_for_what_it_needs_and_no_more(role: Role, asked_for: list[str]) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings({}, requirements=requirements_of([role]))
    assert [mistake.text.split()[0] for mistake in raised.value.mistakes] == asked_for


def test_the_checks_of_several_roles_are_made_once() -> None:
    assert checks_of(tuple(Role)) == checks_of([Role.PROCESSOR])
    assert checks_of([Role.SEGMENT_SINK]) == ()


def test_a_processor_uses_its_state_and_a_sink_has_none() -> None:
    chosen = load_settings(EVERYTHING)
    processor, sink = topic_uses(tuple(Role), chosen)
    assert [topic.setting for topic in processor.topics] == list(TOPICS)
    assert [topic.setting for topic in sink.topics] == ["records_topic", "dead_letter_topic"]
    assert [topic.name for topic in topic_use(Role.PROCESSOR, settings(RAW_TOPIC="raw")).topics] == [
        "raw",
        "segment.records",
        "onesignal.dead-letters",
    ]


def test_messages_of_a_sink_are_never_collected_for_longer_than_its_flush_interval() -> None:
    chosen = settings(FETCH_MAX_WAIT_MS="200", SEGMENT_FLUSH_INTERVAL_SECONDS="0.05")
    assert collect_seconds(Role.PROCESSOR, chosen) == 0.2
    assert collect_seconds(Role.SEGMENT_SINK, chosen) == 0.05
    assert collect_seconds(Role.SEGMENT_SINK, settings(FETCH_MAX_WAIT_MS="200")) == 0.2
