"""Build Mixpanel records: one event of `/import` each, as compact JSON bytes.

The properties are a closed list, without tags and keys of the user's own: some names hide or drop events
(schemas/SOURCES.md, "Mixpanel reserved properties"). The first ones are those of OneSignal's own integration
(schemas/SOURCES.md, "OneSignal properties at Mixpanel"); the others have the names that they have in Segment's records.
``event_kind`` is always there, because one event name covers several kinds. It determines channel, action and category,
so these are no properties. ``app_id`` is one: nothing else shows which OneSignal app an event comes from.

Texts are cut to 255 characters, as Mixpanel would do. Ids are not cut, because two of them could become equal: a longer
user id rejects the event, and another longer id is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import asdict

from pipeline.core.destinations.mixpanel.identity import DEVICE_PREFIX, AnonymousId
from pipeline.core.destinations.mixpanel.limits import EARLIEST_MS, LATEST_MS, MAX_TEXT_CHARACTERS
from pipeline.core.outcomes import RejectReason
from pipeline.core.record_bytes import record_bytes
from pipeline.core.record_values import record_values
from pipeline.core.timestamps import MILLISECONDS, SECOND_LENGTH, milliseconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.events import Event
    from pipeline.core.identity import Identity

_MOST: Final = MAX_TEXT_CHARACTERS
_SOURCE: Final = "onesignal"
"""``$source``: the partner whose events these are (schemas/SOURCES.md, "Mixpanel reserved properties")."""
_NO_ADDRESS: Final = 0
"""``ip``: keeps Mixpanel from locating users at our own address."""
_IDS: Final = frozenset(
    {
        *("message_id", "template_id", "subscription_id", "onesignal_id", "app_id", "device_id"),
        *("page_id", "target_id", "live_activity_id"),
    }
)
"""Two ids could become equal if they were cut."""


class Properties(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The properties that all kinds can have. Absent ones are omitted."""

    time: int
    distinct_id: str
    insert_id: str = msgspec.field(name="$insert_id")
    event_kind: str
    message_type: str
    source: str = msgspec.field(name="$source")
    ip: int
    user_id: str | None = msgspec.field(default=None, name="$user_id")
    device_id: str | None = msgspec.field(default=None, name="$device_id")
    message_id: str | None = msgspec.field(default=None, name="Message ID")
    message_name: str | None = msgspec.field(default=None, name="Message Name")
    message_title: str | None = msgspec.field(default=None, name="Message Title")
    message_contents: str | None = msgspec.field(default=None, name="Message Contents")
    template_id: str | None = None
    subscription_id: str | None = None
    device_type: str | None = None
    language: str | None = None
    onesignal_id: str | None = None
    app_id: str | None = None
    url: str | None = None


class DetailedProperties(Properties, frozen=True, gc=False, omit_defaults=True):
    """All properties of an event. Most kinds have no others than `Properties`, which is built faster."""

    page_name: str | None = None
    page_id: str | None = None
    target_name: str | None = None
    target_id: str | None = None
    failure_reason: str | None = None
    live_activity_id: str | None = None
    live_activity_type: str | None = None
    live_activity_event_kind: str | None = None


class ImportedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event of `/import` (schemas/SOURCES.md, "Mixpanel import limits")."""

    event: str
    properties: Properties


class Shape(msgspec.Struct, frozen=True):
    """What all records of one kind have in common. ``event_name`` and ``kind_name`` have at most 255 characters."""

    event_name: str
    kind_name: str
    message_type: str
    anonymous_id: AnonymousId
    send_device_id: bool

    def build_record(
        self, event: Event, identity: Identity, message_id: str, timestamp: str | None, stored_ms: int, /
    ) -> bytes | RejectReason:
        """Build the record of an event, unless it has no time, or its user's id is too long."""
        facts = event.event
        # `own_time` returns the event's own text only if that is the second of its timestamp: nothing is parsed then.
        if timestamp is not None and timestamp is facts.datetime and isinstance(facts.timestamp, int):
            time_ms = facts.timestamp * 1000 + MILLISECONDS[timestamp[SECOND_LENGTH:]]
        else:
            time_ms = 0 if timestamp is None else milliseconds_of(timestamp)
        if not EARLIEST_MS <= time_ms <= stored_ms:
            time_ms = _limited(time_ms, stored_ms)
        campaign_id, name, title, contents, device, subscription_id, template_id, onesignal_id, language, url, rest = (
            record_values(event)
        )
        user_id, device_id = identity.user_id, subscription_id if self.send_device_id else None
        distinct_id, app_id = user_id, facts.app_id or None
        if user_id is None:
            distinct_id, device_id = self._anonymous_ids(identity.anonymous_id)
        if not time_ms or distinct_id is None or len(distinct_id) > _MOST:
            return _reason(time_ms, distinct_id)
        properties = Properties(
            time_ms,
            distinct_id,
            message_id,
            self.kind_name,
            self.message_type,
            _SOURCE,
            _NO_ADDRESS,
            user_id,
            device_id,
            campaign_id,
            name,
            title,
            contents,
            template_id,
            subscription_id,
            device,
            language,
            onesignal_id,
            app_id,
            url,
        )
        # Inline, because a call for each text would cost a tenth of the record.
        if (
            rest is not None
            or (campaign_id is not None and len(campaign_id) > _MOST)
            or (name is not None and len(name) > _MOST)
            or (title is not None and len(title) > _MOST)
            or (contents is not None and len(contents) > _MOST)
            or (template_id is not None and len(template_id) > _MOST)
            or (subscription_id is not None and len(subscription_id) > _MOST)
            or (device is not None and len(device) > _MOST)
            or (language is not None and len(language) > _MOST)
            or (onesignal_id is not None and len(onesignal_id) > _MOST)
            or (app_id is not None and len(app_id) > _MOST)
            or (url is not None and len(url) > _MOST)
        ):
            properties = _with_limits(properties, rest or {})
        return record_bytes(ImportedEvent(self.event_name, properties))

    def _anonymous_ids(self, subscription_id: str | None) -> tuple[str | None, str | None]:
        """Return the distinct id and the device id of an event without an external id."""
        if subscription_id is None or self.anonymous_id is AnonymousId.SUBSCRIPTION:
            return subscription_id, None
        return f"{DEVICE_PREFIX}{subscription_id}", subscription_id


def _limited(time_ms: int, stored_ms: int) -> int:
    """Return the time of an event in milliseconds, never later than Kafka's; 0 when neither has one from 1971 on.

    The core has no clock, so Kafka's time of the raw message keeps an event out of the future. Mixpanel would replace
    such a time by its own, and the same event would get another one when it is sent again.
    """
    if EARLIEST_MS <= stored_ms <= LATEST_MS:
        return stored_ms
    return time_ms if time_ms >= EARLIEST_MS else 0


def _reason(time_ms: int, distinct_id: str | None) -> RejectReason:
    if distinct_id is None:
        return RejectReason.NO_USER
    return RejectReason.USER_ID_TOO_LONG if time_ms else RejectReason.NO_TIME


def _with_limits(properties: Properties, rest: Mapping[str, str | None]) -> Properties:
    """Return the properties with those that only some kinds have. Long texts are cut, and longer ids left out."""
    long = {
        name: None if name in _IDS else text[:_MOST]
        for name, text in {**asdict(properties), **rest}.items()
        if isinstance(text, str) and len(text) > _MOST
    }
    return DetailedProperties(**{**asdict(properties), **rest, **long})
