"""The Avro contracts: the raw event, the record for Segment, and the dead letter, documented field by field.

`schemas/avro/` has them written out (``python -m tests.write_avro_schemas``), one file for each published version.
A published version never changes; a change is a new version, which must be able to read everything that the versions
before it wrote (BACKWARD_TRANSITIVE). So a new field has a default, and no field changes its type.

Nothing is an enum: a word that is new to a reader of the version before would then be unreadable to it. The email
address, phone number and push token of a subscription have no field, so they cannot be carried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema: TypeAlias = dict[str, Any]

NAMESPACE: Final = "io.github.onesignal_pipeline"

_TEXT: Final = ["null", "string"]
_TEXTS: Final[Schema] = {"type": "map", "values": "string"}
_LOCALIZED: Final = ["null", "string", _TEXTS]


class Contract(msgspec.Struct, frozen=True):
    """The latest version of one contract. ``subject`` names its folder in `schemas/avro/`."""

    subject: str
    version: int
    schema: Schema

    @property
    def full_name(self) -> str:
        """The schema's name with its namespace."""
        return f"{self.schema['namespace']}.{self.schema['name']}"

    @property
    def text(self) -> str:
        """The schema as JSON, as it is registered."""
        return orjson.dumps(self.schema).decode()


def _record(name: str, doc: str, *fields: Schema, namespace: str | None = None) -> Schema:
    place = {} if namespace is None else {"namespace": namespace}
    return {"type": "record", "name": name, **place, "doc": doc, "fields": list(fields)}


def _required(name: str, kind: object, doc: str) -> Schema:
    return {"name": name, "type": kind, "doc": doc}


def _optional(name: str, doc: str, kind: object = _TEXT) -> Schema:
    return {"name": name, "type": kind, "default": None, "doc": doc}


def _part(name: str, doc: str, record: Schema) -> Schema:
    return _optional(name, doc, ["null", record])


_EVENT_DATA: Final = _record(
    "EventData",
    "What only some kinds have. Blank means absent.",
    _optional("page_name", "In-app messages: the page that was seen or clicked on."),
    _optional("page_id", "In-app messages: the id of that page."),
    _optional("target_name", "In-app messages: the button or picture that was clicked."),
    _optional("target_id", "In-app messages: the id of that target."),
    _optional("failure_reason", "Failed and bounced: why."),
    _optional("live_activity_id", "Live activities: which one."),
    _optional("live_activity_type", "Live activities: the type of it."),
)

_EVENT: Final = _record(
    "Event",
    "What happened, when, and to whom. Blank means absent.",
    _required("kind", "string", "OneSignal's name of what happened, in any known spelling: message.push.clicked …"),
    _optional("id", "The event's own id; Segment's messageId."),
    _optional(
        "timestamp",
        "Seconds or milliseconds since the epoch, also as a text, or ISO 8601.",
        ["null", "long", "double", "string"],
    ),
    _optional("datetime", "The same instant as ISO 8601 with milliseconds; it wins where it can be read."),
    _optional("app_id", "The OneSignal app."),
    _optional("subscription_device_type", "What the message was sent to: iOS, Android, Email, SMS …"),
    _optional("subscription_id", "The subscription it was sent to; names who has no external_id."),
    _optional("onesignal_id", "OneSignal's id of the user."),
    _optional("external_id", "Your id of the user; Segment's userId."),
    _part("data", "What only some kinds have.", _EVENT_DATA),
)

_MESSAGE: Final = _record(
    "Message",
    "What was sent. Blank means absent.",
    _optional("id", "The message, shared by all its recipients."),
    _optional("name", "The name that the message has in OneSignal."),
    _optional("title", "A text, or one text for each language.", _LOCALIZED),
    _optional("contents", "A text, or one text for each language; clipped by OneSignal.", _LOCALIZED),
    _optional("template_id", "The template it was made from."),
    _optional("url", "The launch URL."),
)

_USER: Final = _record(
    "User",
    "The person behind the subscription. Blank means absent.",
    _optional("onesignal_id", "OneSignal's id of the user, where the event has none."),
    _optional("external_id", "Your id of the user, where the event has none."),
    _optional("language", "The user's language, such as en."),
    _optional("tags", "The user's tags by name; numbers as their texts.", ["null", _TEXTS]),
)

RAW_EVENT: Final = Contract(
    "raw-event",
    1,
    _record(
        "RawEvent",
        "One raw OneSignal event: the canonical nested form of schemas/raw-event.schema.json.",
        _required("event", _EVENT, "What happened, when, and to whom."),
        _part("message", "What was sent.", _MESSAGE),
        _part("user", "The person behind the subscription.", _USER),
        namespace=NAMESPACE,
    ),
)

_PROPERTIES: Final = _record(
    "Properties",
    "The properties of the track call; what is absent is null.",
    _required("event_kind", "string", "OneSignal's name of the kind, in its canonical spelling."),
    _required("message_type", "string", "push, in-app, email, SMS, live-activity or other."),
    _optional("messageId", "The discrete message: OneSignal's message.id."),
    _optional("campaign_id", "The same id, by its newer name."),
    _optional("message_name", "The name that the message has in OneSignal."),
    _optional("message_title", "The title in the user's language, else in English, else in the first."),
    _optional("message_contents", "The contents in that language; clipped by OneSignal."),
    _optional("subscription_type", "What the message was sent to, such as iOS or Email."),
    _optional("subscription_device_type", "The same, by its newer name."),
    _optional("subscription_id", "The subscription it was sent to."),
    _optional("template_id", "The template it was made from."),
    _optional("onesignal_id", "OneSignal's id of the user."),
    _optional("language", "The user's language."),
    _optional("url", "The launch URL without query and fragment."),
    _optional("page_name", "In-app messages: the page that was seen or clicked on."),
    _optional("page_id", "In-app messages: the id of that page."),
    _optional("target_name", "In-app messages: the button or picture that was clicked."),
    _optional("target_id", "In-app messages: the id of that target."),
    _optional("failure_reason", "Why it failed, without addresses, phone numbers and tokens."),
    _optional("live_activity_id", "Live activities: which one."),
    _optional("live_activity_type", "Live activities: the type of it."),
    _optional("live_activity_event_kind", "Live activities: start, update or end."),
)

_INTEGRATION: Final = _record(
    "Integration",
    "Who made the record.",
    _required("name", "string", "Always onesignal."),
    _required("version", "string", "The version of the record's shape, such as 1.1.0."),
)

_ONESIGNAL: Final = _record(
    "OneSignal",
    "What a destination can filter on.",
    _optional("app_id", "The OneSignal app."),
    _required("channel", "string", "push, in_app, email, sms, live_activity or other."),
    _required("action", "string", "What happened to the message: sent, clicked …"),
    _required("category", "string", "delivery or engagement."),
    _required(
        "mtu",
        _TEXTS,
        "counted or exempt, by destination: whether the event makes its user a billed one.",
    ),
)

_CONTEXT: Final = _record(
    "Context",
    "Where the record comes from.",
    _required("integration", _INTEGRATION, "Who made the record."),
    _required("onesignal", _ONESIGNAL, "What a destination can filter on."),
)

SEGMENT_RECORD: Final = Contract(
    "segment-record",
    2,
    _record(
        "SegmentRecord",
        "One record for Segment: the track call of schemas/segment-record.schema.json.",
        _required("type", "string", "Segment's name of the call: track."),
        _required("event", "string", "The event name of the name profile."),
        _required("messageId", "string", "What Segment removes duplicates by: OneSignal's event.id, else a UUIDv5."),
        _required("properties", _PROPERTIES, "What is known of the event."),
        _required("context", _CONTEXT, "Where the record comes from."),
        _required("integrations", {"type": "map", "values": "boolean"}, "Segment destinations, and whether to send."),
        _optional("userId", "OneSignal's external_id. Either this or anonymousId is there."),
        _optional("anonymousId", "OneSignal's subscription_id, where there is no external_id."),
        _optional("timestamp", "When it happened: ISO 8601, UTC, to the millisecond."),
        namespace=NAMESPACE,
    ),
)

DEAD_LETTER: Final = Contract(
    "dead-letter",
    1,
    _record(
        "DeadLetter",
        "One rejected message: its own bytes, why it was rejected, and where it came from.",
        _required("reason", "string", "Why it was rejected, such as not_an_event."),
        _required("stage", "string", "The part of the pipeline that rejected it: processor or segment-sink."),
        _required("source_topic", "string", "The topic that it was read from."),
        _required("source_partition", "int", "The partition that it was read from."),
        _required("source_offset", "long", "Its offset there."),
        _required("rejected_at", {"type": "long", "logicalType": "timestamp-millis"}, "When it was rejected."),
        _required("rules_version", "string", "The policy that decided."),
        _required("format_version", "string", "The version of the dead letter's format."),
        _optional("key", "The message's key, as it was.", ["null", "bytes"]),
        _optional("value", "The message's value, as it was.", ["null", "bytes"]),
        namespace=NAMESPACE,
    ),
)

CONTRACTS: Final[Mapping[str, Contract]] = {
    contract.subject: contract for contract in (RAW_EVENT, SEGMENT_RECORD, DEAD_LETTER)
}
"""The contracts by subject."""
