from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.bootstrap.destinations.segment import SEGMENT
from pipeline.bootstrap.destinations.table import DESTINATIONS
from pipeline.bootstrap.roles import (
    ROLES,
    checks_of,
    collect_seconds,
    processor_of,
    requirements_of,
    roles_of,
    room_for,
    topic_use,
    topic_uses,
    worker_arguments,
)
from pipeline.bootstrap.topic_table import TOPICS
from pipeline.kafka.topic_use import TopicKind
from pipeline.settings import Role, Settings, SettingsError, load_settings
from pipeline.settings.sections import FIELDS

if TYPE_CHECKING:
    from pipeline.bootstrap.destinations.row import DestinationRow

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
        (Role.MIXPANEL_PROCESSOR, ["PIPELINE_KAFKA_BOOTSTRAP_SERVERS"]),
        (Role.MIXPANEL_SINK, ["PIPELINE_KAFKA_BOOTSTRAP_SERVERS", "PIPELINE_MIXPANEL_PROJECT_TOKEN"]),
    ],
)
def test_a_role_asks_for_what_it_needs_and_no_more(role: Role, asked_for: list[str]) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings({}, requirements=requirements_of([role]))
    assert [mistake.text.split()[0] for mistake in raised.value.mistakes] == asked_for


def test_the_checks_of_several_roles_are_made_once() -> None:
    of_segment, of_mixpanel = checks_of([Role.PROCESSOR]), checks_of([Role.MIXPANEL_PROCESSOR])
    assert checks_of(tuple(Role)) == tuple(dict.fromkeys((*of_segment, *of_mixpanel)))
    assert len(set(of_segment) & set(of_mixpanel)) == 1, "the schema of raw events is common, rules are not"
    assert checks_of([Role.SEGMENT_SINK]) == checks_of([Role.MIXPANEL_SINK]) == ()


@pytest.mark.parametrize("destination", DESTINATIONS.values(), ids=DESTINATIONS)
def test_each_destination_has_a_processor_and_a_sink(destination: DestinationRow) -> None:
    processor, sink = roles_of([destination])
    assert processor_of(destination) is processor
    assert worker_arguments(processor) == ("processor", "--destination", destination.name)
    assert worker_arguments(sink) == (sink.value,) == (f"{destination.name}-sink",)
    assert ROLES[processor].writes == ROLES[sink].reads


def test_destinations_share_no_topic_and_no_group_except_raw_events_and_dead_letters() -> None:
    chosen = load_settings({**EVERYTHING, "PIPELINE_MIXPANEL_TRACKED_USERS_FEED_TOPIC": "mixpanel-feed"})
    used = [
        {topic.name for role in roles_of([row]) for topic in topic_use(role, chosen).topics}
        for row in DESTINATIONS.values()
    ]
    assert set.intersection(*used) == {"onesignal.events", "onesignal.dead-letters"}
    groups = [chosen.value(row.group) for row in ROLES.values()]
    assert len(set(groups)) == len(groups) == len(Role)


def test_a_sink_whose_requests_fill_by_count_has_room_for_a_second_request_and_a_batch() -> None:
    assert room_for(Role.MIXPANEL_SINK, settings()) == (4_500, 5_048_576, 500)
    larger = settings(MAX_MESSAGES_IN_HAND="5000", MAX_BYTES_IN_HAND="20000", FETCH_MAX_BYTES="50000")
    assert room_for(Role.MIXPANEL_SINK, larger) == (5_000, 4_050_000, 500)
    assert room_for(Role.MIXPANEL_SINK, settings(MIXPANEL_MAX_BATCH_RECORDS="10")) == (2_000, 5_048_576, 500)


@pytest.mark.parametrize("poll", [1, 2, 999, 1_000, 100_000])
def test_in_a_backlog_the_request_after_the_one_in_flight_is_full_wherever_that_ends_in_a_batch(poll: int) -> None:
    room = room_for(Role.MIXPANEL_SINK, settings(MAX_POLL_RECORDS=str(poll)))
    settled_of_the_first_batch, in_flight = room.at_once - 1, 2_000
    assert room.messages - settled_of_the_first_batch - in_flight >= 2_000
    assert room.messages - 1 + room.at_once <= 2 * 2_000 + poll, "as docs/operate/capacity.md has it"


@pytest.mark.parametrize("role", [Role.PROCESSOR, Role.SEGMENT_SINK, Role.MIXPANEL_PROCESSOR])
def test_other_roles_have_in_hand_what_the_settings_say(role: Role) -> None:
    chosen = settings(MAX_MESSAGES_IN_HAND="7", MAX_BYTES_IN_HAND="16384", MAX_POLL_RECORDS="3")
    assert room_for(role, chosen) == (7, 16_384, 3)


def test_a_processor_uses_its_state_and_a_sink_has_none() -> None:
    chosen = load_settings(EVERYTHING)
    processor, sink = topic_uses(roles_of([SEGMENT]), chosen)
    assert [topic.setting for topic in processor.topics] == [
        "raw_topic",
        "records_topic",
        "dead_letter_topic",
        "tracked_users_topic",
        "tracked_users_feed_topic",
        "message_catalogue_topic",
    ]
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
