"""The topics that a worker uses: what each holds, and what the worker does with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MILLISECONDS_PER_HOUR: Final = 3_600_000
_FOR_EVER: Final = -1


class TopicKind(StrEnum):
    """What a topic holds. It decides how the topic is created and checked."""

    RAW_EVENTS = "raw events"
    RECORDS = "records"
    DEAD_LETTERS = "dead letters"
    TRACKED_USERS = "tracked users"
    TRACKED_USERS_FEED = "tracked users feed"
    MESSAGE_CATALOGUE = "message catalogue"

    @property
    def holds_messages(self) -> bool:
        """Whether every message counts; in the others only the latest one of each key does."""
        return self in {TopicKind.RAW_EVENTS, TopicKind.RECORDS, TopicKind.DEAD_LETTERS}

    @property
    def is_written_by_others(self) -> bool:
        """Whether other programs write to the topic, and decide about its timestamps."""
        return self in {TopicKind.RAW_EVENTS, TopicKind.TRACKED_USERS_FEED}


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedTopic:
    """A topic as the settings describe it. `setting` is the one that names it; a retention of -1 is for ever."""

    setting: str
    name: str
    kind: TopicKind
    retention_hours: int

    @property
    def retention_ms(self) -> int:
        return (
            self.retention_hours if self.retention_hours == _FOR_EVER else self.retention_hours * MILLISECONDS_PER_HOUR
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicUse:
    """What one worker does with its topics. `writes` is its outbound topic; `record_bytes` bounds a record's JSON."""

    reads: UsedTopic
    writes: UsedTopic | None
    dead_letters: UsedTopic
    state: tuple[UsedTopic, ...]
    record_bytes: int

    @property
    def topics(self) -> tuple[UsedTopic, ...]:
        outbound = () if self.writes is None else (self.writes,)
        return (self.reads, *outbound, self.dead_letters, *self.state)


def topics_of(uses: Iterable[TopicUse]) -> tuple[UsedTopic, ...]:
    """Return the topics of several workers, each once."""
    return tuple(dict.fromkeys(topic for use in uses for topic in use.topics))
