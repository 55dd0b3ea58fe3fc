"""The topics of the pipeline, by the setting that names each: what it holds, and how long that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.bootstrap.destinations.table import DESTINATIONS
from pipeline.kafka.topic_use import TopicKind, UsedTopic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.settings.sections import Settings

_HOURS_PER_DAY: Final = 24


class TopicRow(NamedTuple):
    """One topic. Retention in hours."""

    kind: TopicKind
    retention: Callable[[Settings], int]


def _topics_of(destination: DestinationRow) -> Iterator[tuple[str, TopicRow]]:
    rows = {
        "records_topic": TopicRow(
            TopicKind.RECORDS, lambda settings: destination.section(settings).records_topic_retention_hours
        ),
        "tracked_users_topic": TopicRow(
            TopicKind.TRACKED_USERS, lambda settings: settings.tracked_users_topic_retention_hours
        ),
        "tracked_users_feed_topic": TopicRow(
            TopicKind.TRACKED_USERS_FEED, lambda settings: settings.tracked_users_topic_retention_hours
        ),
        "message_catalogue_topic": TopicRow(
            TopicKind.MESSAGE_CATALOGUE, lambda settings: settings.message_catalogue_days * _HOURS_PER_DAY
        ),
    }
    return ((destination.settings.setting(field), row) for field, row in rows.items())


TOPICS: Final[Mapping[str, TopicRow]] = {
    "raw_topic": TopicRow(TopicKind.RAW_EVENTS, lambda settings: settings.raw_topic_retention_hours),
    "dead_letter_topic": TopicRow(TopicKind.DEAD_LETTERS, lambda settings: settings.dead_letter_topic_retention_hours),
    **{setting: row for destination in DESTINATIONS.values() for setting, row in _topics_of(destination)},
}


def used_topic(setting: str, settings: Settings) -> UsedTopic:
    """Return the topic that a setting names."""
    row = TOPICS[setting]
    return UsedTopic(
        setting=setting,
        name=settings.value(setting),
        kind=row.kind,
        retention_hours=row.retention(settings),
    )
