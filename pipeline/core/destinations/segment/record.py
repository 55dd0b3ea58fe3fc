"""Build Segment records: one track call each, as compact JSON bytes.

Names and properties are those of the OneSignal Source page (schemas/SOURCES.md, "OneSignal source at Segment").
Everything else known about an event is a property too, under the name in
schemas/SOURCES.md, "OneSignal event variables": `subscription_id`, `subscription_device_type` (the page's
`subscription_type` by its newer name), `language`, `event_kind`, `failure_reason`, page and target, live activity,
`url`. App, category and MTU class are in ``context.onesignal``, where a destination can filter on them.
`pipeline.core.record_values` cleans the values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from pipeline.core.destinations.segment.limits import MAX_RECORD_BYTES
from pipeline.core.outcomes import RejectReason
from pipeline.core.record_bytes import record_bytes
from pipeline.core.record_values import record_values
from pipeline.core.shortening import shortened

if TYPE_CHECKING:
    from pipeline.core.events import Event
    from pipeline.core.identity import Identity


class Properties(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The properties of a track call. Absent ones are omitted."""

    event_kind: str
    message_type: str
    messageId: str | None = None  # noqa: N815 -- the Source page's spelling
    campaign_id: str | None = None
    message_name: str | None = None
    message_title: str | None = None
    message_contents: str | None = None
    subscription_type: str | None = None
    subscription_device_type: str | None = None
    subscription_id: str | None = None
    template_id: str | None = None
    onesignal_id: str | None = None
    language: str | None = None
    url: str | None = None
    page_name: str | None = None
    page_id: str | None = None
    target_name: str | None = None
    target_id: str | None = None
    failure_reason: str | None = None
    live_activity_id: str | None = None
    live_activity_type: str | None = None
    live_activity_event_kind: str | None = None


class Track(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="type", tag="track"):
    """One Segment track call (schemas/SOURCES.md, "Segment track calls")."""

    event: str
    messageId: str  # noqa: N815 -- Segment's spelling
    properties: Properties
    context: msgspec.Raw
    integrations: msgspec.Raw
    userId: str | None = None  # noqa: N815 -- Segment's spelling
    anonymousId: str | None = None  # noqa: N815 -- Segment's spelling
    timestamp: str | None = None


class Shape(msgspec.Struct, frozen=True):
    """What all records of one kind have in common. ``context`` returns the context for an app id."""

    event_name: str
    kind_name: str
    message_type: str
    context: Callable[[str | None], msgspec.Raw]
    integrations: msgspec.Raw

    def build_record(
        self, event: Event, identity: Identity, message_id: str, timestamp: str | None, _stored_ms: int, /
    ) -> bytes | RejectReason:
        """Build the record of an event, unless it exceeds Segment's limit even without contents and title."""
        (
            campaign_id,
            name,
            title,
            contents,
            device,
            subscription_id,
            template_id,
            onesignal_id,
            language,
            url,
            details,
        ) = record_values(event)
        properties = Properties(
            self.kind_name,
            self.message_type,
            campaign_id,
            campaign_id,
            name,
            title,
            contents,
            device,
            device,
            subscription_id,
            template_id,
            onesignal_id,
            language,
            url,
        )
        if details is not None:
            properties = replace(properties, **details)
        track = Track(
            self.event_name,
            message_id,
            properties,
            self.context(event.event.app_id),
            self.integrations,
            identity.user_id,
            identity.anonymous_id,
            timestamp,
        )
        record = record_bytes(track)
        return record if len(record) <= MAX_RECORD_BYTES else _fitted(track, len(record))


def _fitted(track: Track, size: int) -> bytes | RejectReason:
    """Return the record with shortened contents, then title, so that it fits; it may not fit even so."""
    properties = track.properties
    for name in ("message_contents", "message_title"):
        text = getattr(properties, name)
        if text is not None:
            properties = replace(properties, **{name: shortened(text, size - MAX_RECORD_BYTES)})
            record = record_bytes(replace(track, properties=properties))
            if len(record) <= MAX_RECORD_BYTES:
                return record
            size = len(record)
    return RejectReason.RECORD_TOO_LARGE
