"""Build Segment records: one track call each, as compact JSON bytes.

Names and properties are those of the OneSignal Source page (schemas/SOURCES.md, "OneSignal source at Segment").
Everything else known about an event is a property too, under the name in
schemas/SOURCES.md, "OneSignal event variables": `subscription_id`, `subscription_device_type` (the page's
`subscription_type` by its newer name), `language`, `event_kind`, `failure_reason`, page and target, live activity,
`url`. App, category and MTU class are in ``context.onesignal``, where a destination can filter on them. Texts by
language become one text: the user's language, else English, else the first, also if they arrive as one text
(`pipeline.core.localized`). `pipeline.core.privacy` cleans the launch URL and the failure reason. Empty ids were
removed before (`pipeline.core.cleaning`); blank texts and placeholders are removed here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import asdict, replace

from pipeline.core.content import Details, EventContent
from pipeline.core.destinations.segment.limits import MAX_RECORD_BYTES
from pipeline.core.events import Person
from pipeline.core.kinds import Channel
from pipeline.core.localized import one_text
from pipeline.core.outcomes import RejectReason
from pipeline.core.privacy import clean_reason, clean_url
from pipeline.core.shortening import shortened
from pipeline.core.texts import PLACEHOLDERS, SURE_BEGINNINGS, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.events import Event
    from pipeline.core.identity import Identity

MESSAGE_TYPES: Final[Mapping[Channel, str]] = {
    Channel.PUSH: "push",
    Channel.IN_APP: "in-app",
    Channel.EMAIL: "email",
    Channel.SMS: "SMS",
    Channel.LIVE_ACTIVITY: "live-activity",
    Channel.OTHER: "other",
}
"""``message_type`` for each channel, spelled as the OneSignal Source page spells it
(schemas/SOURCES.md, "OneSignal source at Segment")."""

_LOOP_GUARD: Final = msgspec.Raw(b'{"All":true,"OneSignal New":false}')
"""Keeps Segment's OneSignal destination from turning these properties into OneSignal tags
(schemas/SOURCES.md, "Segment's OneSignal destination")."""

_SURE: Final = SURE_BEGINNINGS
_NO_CONTENT: Final = EventContent()
_NO_PERSON: Final = Person()
_NO_DETAILS: Final = Details()
_APP_DEVICES: Final = ("ios", "android", "huawei", "amazon", "fireos", "fire os", "kindle")
"""Devices whose links open an app, by the beginning of OneSignal's name (iOS, AndroidPush, FireOSPush …)."""
_TEMPORARY_ID: Final = "local-"
"""The prefix of a onesignal_id that the SDK generated before it had a real one
(schemas/SOURCES.md, "OneSignal temporary ids")."""


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

    def build_record(
        self, event: Event, identity: Identity, message_id: str, timestamp: str | None, _stored_ms: int, /
    ) -> bytes | RejectReason:
        """Build the record of an event, unless it exceeds Segment's limit even without contents and title."""
        track = Track(
            self.event_name,
            message_id,
            _properties(self, event),
            self.context(event.event.app_id),
            _LOOP_GUARD,
            identity.user_id,
            identity.anonymous_id,
            timestamp,
        )
        record = _encoded(track)
        return record if len(record) <= MAX_RECORD_BYTES else _fitted(track, len(record))


_encode: Final = msgspec.json.Encoder().encode
_encode_into: Final = msgspec.json.Encoder().encode_into
_BUFFERS: Final[list[bytearray]] = []
"""One buffer for each thread that builds records. Their content is scratch space."""


def _encoded(track: Track) -> bytes:
    """Encode a record without spare capacity: the bytes of msgspec's `encode` occupy half as much memory again."""
    try:
        buffer = _BUFFERS.pop()  # atomic, so no two threads share a buffer
    except IndexError:
        buffer = bytearray()
    _encode_into(track, buffer)
    record = bytes(buffer)
    if len(record) <= MAX_RECORD_BYTES:
        _BUFFERS.append(buffer)
    return record


def _properties(shape: Shape, event: Event) -> Properties:
    """Return the properties. Runs for every record, so usual texts are recognized inline by their first character."""
    facts, content, person = event.event, event.message or _NO_CONTENT, event.user or _NO_PERSON
    message_id, name, title, contents = content.id or None, content.name, content.title, content.contents
    device, language, url = facts.subscription_device_type, person.language, content.url
    onesignal_id = facts.onesignal_id
    device = device if device and (device[0] in _SURE or shown(device)) else None
    language = language if language and (language[0] in _SURE or shown(language)) else None
    link = clean_url(url) if url and (url[0] in _SURE or shown(url)) else None
    if (content.app_url or content.web_url) and not shown(url):
        link = _link_of_device(content, device)
    properties = Properties(
        shape.kind_name,
        shape.message_type,
        message_id,
        message_id,
        name if name and (name[0] in _SURE or (name not in PLACEHOLDERS and not name.isspace())) else None,
        one_text(title, language) if title else None,
        one_text(contents, language) if contents else None,
        device,
        device,
        facts.subscription_id or None,
        content.template_id or None,
        onesignal_id if onesignal_id and onesignal_id[0] != _TEMPORARY_ID[0] else _real_id(onesignal_id, person),
        language,
        link,
    )
    kind = content.live_activity_event_kind
    if not kind and (facts.data is None or facts.data == _NO_DETAILS):
        return properties
    return replace(properties, **_details(facts.data or _NO_DETAILS, kind))


def _details(details: Details, live_activity_event_kind: str | None) -> dict[str, str | None]:
    """Return the properties that only some kinds have, by name."""
    reason = shown(details.failure_reason)
    return {
        **{name: shown(text) for name, text in asdict(details).items()},
        "failure_reason": clean_reason(reason) if reason else None,
        "live_activity_event_kind": shown(live_activity_event_kind),
    }


def _link_of_device(content: EventContent, device: str | None) -> str | None:
    """Return the launch URL for the device, an app's or a browser's; the other one when there is none."""
    is_app = device is not None and device.lower().startswith(_APP_DEVICES)
    urls = (content.app_url, content.web_url) if is_app else (content.web_url, content.app_url)
    return next(filter(None, map(clean_url, filter(None, map(shown, urls)))), None)


def _real_id(onesignal_id: str | None, person: Person) -> str | None:
    """Return the id that OneSignal assigned: the event's, else the user's, without temporary ids."""
    ids = (onesignal_id, person.onesignal_id)
    return next((each for each in ids if each and not each.startswith(_TEMPORARY_ID)), None)


def _fitted(track: Track, size: int) -> bytes | RejectReason:
    """Return the record with shortened contents, then title, so that it fits; it may not fit even so."""
    properties = track.properties
    for name in ("message_contents", "message_title"):
        text = getattr(properties, name)
        if text is not None:
            properties = replace(properties, **{name: shortened(text, size - MAX_RECORD_BYTES)})
            record = _encoded(replace(track, properties=properties))
            if len(record) <= MAX_RECORD_BYTES:
                return record
            size = len(record)
    return RejectReason.RECORD_TOO_LARGE
