from __future__ import annotations

from structlog.testing import capture_logs

from pipeline.bootstrap.roles import topic_use
from pipeline.kafka.settings_watch import SettingsWatch
from pipeline.kafka.topic_settings import setting_faults
from pipeline.kafka.topics import FoundTopic
from pipeline.settings import Role, load_settings

RAW, RECORDS, LETTERS = "onesignal.events", "segment.records", "onesignal.dead-letters"
GOOD = {"cleanup.policy": "delete"}
COMPACTED = {"cleanup.policy": "compact"}


def watch(*written: str) -> SettingsWatch:
    found = {name: FoundTopic(partitions=1, configuration=GOOD) for name in (RAW, RECORDS, LETTERS)}
    topics = topic_use(Role.PROCESSOR, load_settings({})).topics
    watch = SettingsWatch()
    watch.expect(found, lambda now: setting_faults(now, topics), written=written)
    return watch


def test_good_topics_are_no_complaint_and_all_are_asked_about() -> None:
    watching = watch(RECORDS, LETTERS)
    watching.take(dict.fromkeys(watching.topics, GOOD))
    assert (watching.complaint, watching.hold_reason) == (None, None)
    assert watching.topics == (RAW, RECORDS, LETTERS)


def test_a_topic_that_is_written_holds_when_it_begins_to_lose_messages_until_it_does_no_more() -> None:
    watching = watch(RECORDS, LETTERS)
    with capture_logs() as logs:
        watching.take({RECORDS: COMPACTED})
        watching.take({RECORDS: COMPACTED})
        assert f"Topic `{RECORDS}` is compacted" in (watching.complaint or "")
        assert watching.hold_reason == watching.complaint
        watching.take({RECORDS: GOOD})
    assert (watching.complaint, watching.hold_reason) == (None, None)
    assert [line["log_level"] for line in logs] == ["error", "info"]


def test_a_topic_that_is_read_is_complained_of_and_read_on() -> None:
    watching = watch(RECORDS, LETTERS)
    watching.take({RAW: COMPACTED})
    assert f"Topic `{RAW}` is compacted" in (watching.complaint or "")
    assert watching.hold_reason is None


def test_what_the_cluster_does_not_tell_stays_as_it_was() -> None:
    watching = watch(RECORDS)
    watching.take({RECORDS: COMPACTED})
    watching.take({})
    assert watching.hold_reason is not None


def test_before_anything_is_expected_nothing_is_wrong() -> None:
    watching = SettingsWatch()
    watching.take({})
    assert (watching.complaint, watching.hold_reason, watching.topics) == (None, None, ())
