"""Build Segment records: one track call each, as compact JSON bytes.

Names and properties are those of the OneSignal Source page. What else is known of an event is a property too, under
domain.md's name: `subscription_id`, `subscription_device_type` (the page's `subscription_type` by its newer name),
`language`, `event_kind`, `failure_reason`, page and target, live activity, `url`. App, category and MTU class are in
``context.onesignal``, where a destination can filter on them. A localized text becomes one text: the user's language,
else English, else the first; also where it came as one text (`pipeline.core.localized`). `pipeline.core.privacy` cleans
the launch URL and the failure reason.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from pipeline.core.classification import mtu_class
from pipeline.core.content import Content
from pipeline.core.events import Details, Person
from pipeline.core.kinds import Channel
from pipeline.core.localized import texts_by_language
from pipeline.core.privacy import clean_reason, clean_url
from pipeline.core.shortening import MAX_RECORD_BYTES, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.core.classification import MtuRules
    from pipeline.core.events import Event
    from pipeline.core.identity import Identity
    from pipeline.core.kinds import Kind

INTEGRATION_NAME: Final = "onesignal"
RECORD_VERSION: Final = "1.0.0"
"""Names the shape of the records in ``context.integration``. It changes with the shape, not with each release."""

MESSAGE_TYPES: Final[Mapping[Channel, str]] = {
    Channel.PUSH: "push",
    Channel.IN_APP: "in-app",
    Channel.EMAIL: "email",
    Channel.SMS: "SMS",
    Channel.LIVE_ACTIVITY: "live-activity",
    Channel.OTHER: "other",
}
"""``message_type`` for each channel, spelled as the OneSignal Source page spells it."""

_LOOP_GUARD: Final = msgspec.Raw(b'{"All":true,"OneSignal New":false}')
"""Keeps Segment's OneSignal destination from turning these properties into OneSignal tags (domain.md 0.8)."""

_NO_CONTENT: Final = Content()
_NO_PERSON: Final = Person()
_NO_DETAILS: Final = Details()
_TEMPORARY_ID: Final = "local-"
"""A onesignal_id that begins so is one the SDK made up before it had any (domain.md 6)."""


class Properties(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The properties of a track call; what is absent is left out."""

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


class Track(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="type", tag="track"):
    """One Segment track call (domain.md 2.2)."""

    event: str
    messageId: str  # noqa: N815 -- Segment's spelling
    properties: Properties
    context: msgspec.Raw
    integrations: msgspec.Raw
    userId: str | None = None  # noqa: N815 -- Segment's spelling
    anonymousId: str | None = None  # noqa: N815 -- Segment's spelling
    timestamp: str | None = None


class Shape(msgspec.Struct, frozen=True):
    """What all records of one kind have alike. ``context`` gives the context for an app id."""

    event_name: str
    kind_name: str
    message_type: str
    context: Callable[[str | None], msgspec.Raw]


_encode: Final = msgspec.json.Encoder().encode


def shape_of(kind: Kind, event_name: str, mtu_rules: Iterable[MtuRules]) -> Shape:
    """Work out what all records of a kind have alike."""
    classes = {rules.destination.value: mtu_class(kind, rules).value for rules in mtu_rules}
    integration = {"name": INTEGRATION_NAME, "version": RECORD_VERSION}

    @lru_cache(maxsize=256)
    def context(app_id: str | None) -> msgspec.Raw:
        onesignal = {
            "app_id": app_id,
            "channel": kind.channel.value,
            "action": kind.action.value,
            "category": kind.category.value,
            "mtu": classes,
        }
        if _present(app_id) is None:
            del onesignal["app_id"]
        return msgspec.Raw(_encode({"integration": integration, "onesignal": onesignal}))

    return Shape(event_name, kind.name, MESSAGE_TYPES[kind.channel], context)


def build_record(
    shape: Shape,
    event: Event,
    identity: Identity,
    message_id: str,
    timestamp: str | None,
) -> bytes | None:
    """Build the record of an event; None when it is over Segment's limit even without contents and title."""
    track = Track(
        shape.event_name,
        message_id,
        _properties(shape, event),
        shape.context(event.event.app_id),
        _LOOP_GUARD,
        identity.user_id,
        identity.anonymous_id,
        timestamp,
    )
    record = _encode(track)
    return record if len(record) <= MAX_RECORD_BYTES else _fitted(track, len(record))


def _properties(shape: Shape, event: Event) -> Properties:
    """Collect the properties. Runs for every record, so the usual blanks are sorted out in place and not by calls."""
    facts, content, person = event.event, event.message or _NO_CONTENT, event.user or _NO_PERSON
    message_id, name, title, contents = content.id, content.name, content.title, content.contents
    device, subscription_id, template_id = facts.subscription_device_type, facts.subscription_id, content.template_id
    onesignal_id, language, url = facts.onesignal_id, person.language, content.url
    message_id = message_id if message_id and not message_id.isspace() else None
    device = device if device and not device.isspace() else None
    language = language if language and not language.isspace() else None
    details = () if facts.data is None or facts.data == _NO_DETAILS else _detail_values(facts.data)
    return Properties(
        shape.kind_name,
        shape.message_type,
        message_id,
        message_id,
        name if name and not name.isspace() else None,
        _one_text(title, language) if title else None,
        _one_text(contents, language) if contents else None,
        device,
        device,
        subscription_id if subscription_id and not subscription_id.isspace() else None,
        template_id if template_id and not template_id.isspace() else None,
        _real_id(onesignal_id) or _real_id(person.onesignal_id),
        language,
        clean_url(url) if url else None,
        *details,
    )


def _detail_values(details: Details) -> tuple[str | None, ...]:
    reason = _present(details.failure_reason)
    return (
        _present(details.page_name),
        _present(details.page_id),
        _present(details.target_name),
        _present(details.target_id),
        clean_reason(reason) if reason else None,
        _present(details.live_activity_id),
        _present(details.live_activity_type),
    )


def _present(text: str | None) -> str | None:
    return text if text and not text.isspace() else None


def _real_id(onesignal_id: str | None) -> str | None:
    return onesignal_id if onesignal_id and onesignal_id[:6] != _TEMPORARY_ID and not onesignal_id.isspace() else None


def _one_text(text: str | dict[str, Any], language: str | None) -> str | None:
    if isinstance(text, str):
        by_language = texts_by_language(text) if text[:1] == "{" else None
        if by_language is None:
            return None if text.isspace() else text
        text = by_language
    own = text.get(language or "")
    if isinstance(own, str) and own and not own.isspace():
        return own
    others = (text.get("en"), *text.values())
    return next((other for other in others if isinstance(other, str) and _present(other)), None)


def _fitted(track: Track, size: int) -> bytes | None:
    """Shorten the contents, then the title, until the record fits."""
    properties = track.properties
    for name in ("message_contents", "message_title"):
        text = getattr(properties, name)
        if text is not None:
            properties = replace(properties, **{name: shortened(text, size - MAX_RECORD_BYTES)})
            record = _encode(replace(track, properties=properties))
            if len(record) <= MAX_RECORD_BYTES:
                return record
            size = len(record)
    return None
