"""What the traffic generator knows of its own messages, told without the pipeline's code.

The closing table of the demo is held against this, so the tables here repeat the meaning of the kinds and presets on
purpose: a mistake in `pipeline.core` must not hide behind itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Sort(StrEnum):
    """What a message is to a reader of the topic."""

    EVENT = "event"
    TOMBSTONE = "tombstone"
    UNREADABLE = "unreadable"
    UNKNOWN_KIND = "unknown_kind"
    NAMES_NOBODY = "names_nobody"


class Fate(IntEnum):
    """What must become of a message in the processor."""

    FORWARDED = 1
    DROPPED = 2
    REJECTED = 3


_SENT_OR_DISPLAYED: Final = frozenset(
    {
        "message.push.sent",
        "message.email.sent",
        "message.sms.sent",
        "message.live_activity.sent",
        "message.iam.impression",
        "message.iam.page_displayed",
    },
)
_ACTS_OF_A_PERSON: Final = frozenset(
    {
        "message.push.clicked",
        "message.push.unsubscribed",
        "message.iam.clicked",
        "message.email.opened",
        "message.email.clicked",
        "message.email.unsubscribed",
        "message.email.reported_as_spam",
        "message.live_activity.clicked",
        "message.live_activity.unsubscribed",
    },
)
KEEP_ALL, CURB, ENGAGEMENT_ONLY = "keep-all", "curb-sent-and-displayed", "engagement-only"
TRACKED_ONLY: Final = "tracked-only"
PRESETS: Final = (KEEP_ALL, CURB, ENGAGEMENT_ONLY, TRACKED_ONLY)


def preset_drops(preset: str, kind: str) -> bool:
    """Tell whether a preset leaves out a kind, given by its canonical name, whoever the user is."""
    if preset == ENGAGEMENT_ONLY:
        return kind not in _ACTS_OF_A_PERSON
    return preset == CURB and kind in _SENT_OR_DISPLAYED


class TrafficMessage(msgspec.Struct, frozen=True, gc=False):
    """One message of the raw topic, and what is true of it.

    ``user`` is the id that Segment would bill. ``message_id`` is the event's own id; None when it has none.
    """

    key: bytes | None
    value: bytes | None
    sort: Sort
    kind: str = ""
    user: str = ""
    message_id: str | None = None


_FATES: Final[Mapping[Sort, Fate]] = {
    Sort.EVENT: Fate.FORWARDED,
    Sort.TOMBSTONE: Fate.DROPPED,
    Sort.UNREADABLE: Fate.REJECTED,
    Sort.UNKNOWN_KIND: Fate.REJECTED,
    Sort.NAMES_NOBODY: Fate.REJECTED,
}


@cache
def _fate(sort: Sort, kind: str, preset: str) -> Fate:
    """Say what must become of a message of a tracked user; a rule that drops comes before the user is asked for."""
    if sort in {Sort.EVENT, Sort.NAMES_NOBODY} and preset_drops(preset, kind):
        return Fate.DROPPED
    return _FATES[sort]


class Fates:
    """What must become of the messages of one month under a preset, asked in the order of each user's messages."""

    def __init__(self, preset: str) -> None:
        """Know of nobody."""
        self._preset = preset
        self.users: set[str] = set()
        """Whom Segment would bill so far."""

    def of(self, message: TrafficMessage) -> Fate:
        """Say what must become of the next message."""
        found = _fate(message.sort, message.kind, self._preset)
        if found is Fate.FORWARDED:
            if (
                self._preset == TRACKED_ONLY
                and message.kind not in _ACTS_OF_A_PERSON
                and message.user not in self.users
            ):
                return Fate.DROPPED
            self.users.add(message.user)
        return found


class Origin(NamedTuple):
    """Where the first message with an id was written, and whom it is about."""

    partition: int
    offset: int
    user: str


@dataclass(slots=True, kw_only=True)
class Truth:
    """What was written: the fate of every message by partition and offset, and what the destination must hold.

    ``id_of_body`` gives the messageId of an event that has none of its own. ``ids`` has each messageId that must
    arrive; ``repeated`` how many more forwarded messages carry an id of ``ids`` again.
    """

    preset: str
    partitions: int
    id_of_body: Callable[[bytes], str]
    fates: dict[int, bytearray] = field(init=False)
    ids: dict[str, Origin] = field(default_factory=dict)
    repeated: Counter[str] = field(default_factory=Counter)
    counts: Counter[Fate] = field(default_factory=Counter)
    under: dict[str, Fates] = field(init=False)
    forwarded_under: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Start with nothing written."""
        self.fates = {number: bytearray() for number in range(self.partitions)}
        self.under = {preset: Fates(preset) for preset in PRESETS}

    def note(self, message: TrafficMessage, partition: int) -> None:
        """Take down a message that goes to a partition as its next one."""
        fates = self.fates[partition]
        outcomes = {preset: fates.of(message) for preset, fates in self.under.items()}
        self.forwarded_under.update(preset for preset, outcome in outcomes.items() if outcome is Fate.FORWARDED)
        outcome = outcomes[self.preset]
        self.counts[outcome] += 1
        if outcome is Fate.FORWARDED:
            self._note_id(message, Origin(partition, len(fates), message.user))
        fates.append(outcome)

    def _note_id(self, message: TrafficMessage, origin: Origin) -> None:
        message_id = message.message_id or self.id_of_body(message.value or b"")
        if self.ids.setdefault(message_id, origin) is not origin:
            self.repeated[message_id] += 1

    @property
    def written(self) -> int:
        """How many messages were written."""
        return sum(len(fates) for fates in self.fates.values())
