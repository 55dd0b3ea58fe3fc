"""The expected outcome of each generated message, computed without the pipeline's code.

The demo's closing tables are compared with this. So the tables here repeat the meaning of the kinds and presets on
purpose: otherwise a mistake in `pipeline.core` would hide itself.
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
    """How a reader of the topic classifies a message."""

    EVENT = "event"
    TOMBSTONE = "tombstone"
    UNREADABLE = "unreadable"
    UNKNOWN_KIND = "unknown_kind"
    NO_USER = "no_user"


class Fate(IntEnum):
    """The outcome that the processor must give a message."""

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
TRACKED_ONLY, EXEMPT_DELIVERY = "tracked-only", "exempt-delivery"
PRESETS: Final = (KEEP_ALL, CURB, ENGAGEMENT_ONLY, TRACKED_ONLY, EXEMPT_DELIVERY)

_COUNTED_BY_MIXPANEL: Final = frozenset(
    {
        "message.push.clicked",
        "message.push.failed",
        "message.iam.clicked",
        "message.iam.page_displayed",
        "message.email.opened",
        "message.email.clicked",
        "message.email.failed",
        "message.sms.failed",
        "message.sms.undelivered",
        "message.live_activity.sent",
        "message.live_activity.delivered",
        "message.live_activity.clicked",
        "message.live_activity.unsubscribed",
        "message.live_activity.failed",
    },
)


def is_counted(destination: str, kind: str) -> bool:
    """Return whether an event of a kind makes its user a billed one. Segment exempts none."""
    return destination == "segment" or kind in _COUNTED_BY_MIXPANEL


def preset_drops(destination: str, preset: str, kind: str) -> bool:
    """Return whether a preset drops a kind, given by its canonical name, for every user."""
    if preset == ENGAGEMENT_ONLY:
        return kind not in _ACTS_OF_A_PERSON
    if preset == EXEMPT_DELIVERY:
        return kind not in _ACTS_OF_A_PERSON and is_counted(destination, kind)
    return preset == CURB and kind in _SENT_OR_DISPLAYED


class TrafficMessage(msgspec.Struct, frozen=True, gc=False):
    """One message of the raw topic, with its expected properties.

    ``user`` is the id that a destination would bill. ``message_id`` is the event's own id, or None if it has none.
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
    Sort.NO_USER: Fate.REJECTED,
}


@cache
def _fate(sort: Sort, kind: str, destination: str, preset: str) -> Fate:
    """Return the expected outcome for a tracked user. Rules that drop apply before the user is looked up."""
    if sort in {Sort.EVENT, Sort.NO_USER} and preset_drops(destination, preset, kind):
        return Fate.DROPPED
    return _FATES[sort]


class Fates:
    """The expected outcomes of one month's messages for a destination under a preset.

    Call `of` in the order of each user's messages.
    """

    def __init__(self, destination: str, preset: str) -> None:
        """Start without tracked users."""
        self._destination = destination
        self._preset = preset
        self.users: set[str] = set()
        """The users whom the destination would bill so far."""

    def of(self, message: TrafficMessage) -> Fate:
        """Return the expected outcome of the next message."""
        found = _fate(message.sort, message.kind, self._destination, self._preset)
        if found is Fate.FORWARDED:
            if (
                self._preset == TRACKED_ONLY
                and message.kind not in _ACTS_OF_A_PERSON
                and message.user not in self.users
            ):
                return Fate.DROPPED
            if is_counted(self._destination, message.kind):
                self.users.add(message.user)
        return found


class Origin(NamedTuple):
    """Partition, offset and user of the first message with an id."""

    partition: int
    offset: int
    user: str


@dataclass(slots=True, kw_only=True)
class Truth:
    """What one destination should get: the outcome of every message by partition and offset, and what must arrive.

    ``id_of_body`` returns the messageId of an event without its own id. ``ids`` has each messageId that must
    arrive. ``repeated`` counts further forwarded messages with an id of ``ids``.
    """

    destination: str
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
        """Create empty counts for every partition and preset."""
        self.fates = {number: bytearray() for number in range(self.partitions)}
        self.under = {preset: Fates(self.destination, preset) for preset in PRESETS}

    def add(self, message: TrafficMessage, partition: int) -> None:
        """Add the next message of a partition."""
        fates = self.fates[partition]
        outcomes = {preset: fates.of(message) for preset, fates in self.under.items()}
        self.forwarded_under.update(preset for preset, outcome in outcomes.items() if outcome is Fate.FORWARDED)
        outcome = outcomes[self.preset]
        self.counts[outcome] += 1
        if outcome is Fate.FORWARDED:
            self._add_id(message, Origin(partition, len(fates), message.user))
        fates.append(outcome)

    def _add_id(self, message: TrafficMessage, origin: Origin) -> None:
        message_id = message.message_id or self.id_of_body(message.value or b"")
        if self.ids.setdefault(message_id, origin) is not origin:
            self.repeated[message_id] += 1

    @property
    def written(self) -> int:
        """How many messages were written."""
        return sum(len(fates) for fates in self.fates.values())
