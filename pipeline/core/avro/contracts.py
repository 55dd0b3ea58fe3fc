"""The Avro contracts of the raw event and the dead letter, and the functions that all contracts are built with.

The contract of a destination's records is in its folder below `pipeline.core.destinations`. `schemas/avro/` contains
every contract as files, one for each published version (``python -m tests.write_avro_schemas``). A published version
never changes. A change is a new version, which must be able to read everything that earlier versions wrote
(BACKWARD_TRANSITIVE), so a new field has a default, and no field changes its type.

Nothing is an enum: a reader of an earlier version could not read a symbol that it does not know. The email address,
phone number and push token of a subscription have no field, so no message can carry them.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec
import orjson

Schema: TypeAlias = dict[str, Any]

NAMESPACE: Final = "io.github.onesignal_pipeline"

_TEXT: Final = ["null", "string"]
TEXTS: Final[Schema] = {"type": "map", "values": "string"}
_LOCALIZED: Final = ["null", "string", TEXTS]


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


def record_schema(name: str, doc: str, *fields: Schema, namespace: str | None = None) -> Schema:
    """Return the schema of a record."""
    within = {} if namespace is None else {"namespace": namespace}
    return {"type": "record", "name": name, **within, "doc": doc, "fields": list(fields)}


def required_field(name: str, kind: object, doc: str) -> Schema:
    """Return a field that every record has."""
    return {"name": name, "type": kind, "doc": doc}


def optional_field(name: str, doc: str, kind: object = _TEXT) -> Schema:
    """Return a field that is null where it is absent."""
    return {"name": name, "type": kind, "default": None, "doc": doc}


def record_field(name: str, doc: str, record: Schema) -> Schema:
    """Return an optional field that holds a record."""
    return optional_field(name, doc, ["null", record])


_EVENT_DATA: Final = record_schema(
    "EventData",
    "What only some kinds have. Blank means absent.",
    optional_field("page_name", "In-app messages: the page that was seen or clicked on."),
    optional_field("page_id", "In-app messages: the id of that page."),
    optional_field("target_name", "In-app messages: the button or picture that was clicked."),
    optional_field("target_id", "In-app messages: the id of that target."),
    optional_field("failure_reason", "Failed and bounced: why."),
    optional_field("live_activity_id", "Live activities: which one."),
    optional_field("live_activity_type", "Live activities: the type of it."),
)

_EVENT: Final = record_schema(
    "Event",
    "What happened, when, and to whom. Blank means absent.",
    required_field(
        "kind", "string", "OneSignal's name of what happened, in any known spelling: message.push.clicked …"
    ),
    optional_field("id", "The event's own id; Segment's messageId."),
    optional_field(
        "timestamp",
        "Seconds or milliseconds since the epoch, also as a text, or ISO 8601.",
        ["null", "long", "double", "string"],
    ),
    optional_field("datetime", "The same instant as ISO 8601 with milliseconds; it wins where it can be read."),
    optional_field("app_id", "The OneSignal app."),
    optional_field("subscription_device_type", "What the message was sent to: iOS, Android, Email, SMS …"),
    optional_field("subscription_id", "The subscription it was sent to; names who has no external_id."),
    optional_field("onesignal_id", "OneSignal's id of the user."),
    optional_field("external_id", "Your id of the user; Segment's userId."),
    record_field("data", "What only some kinds have.", _EVENT_DATA),
)

_MESSAGE: Final = record_schema(
    "Message",
    "What was sent. Blank means absent.",
    optional_field("id", "The message, shared by all its recipients."),
    optional_field("name", "The name that the message has in OneSignal."),
    optional_field("title", "A text, or one text for each language.", _LOCALIZED),
    optional_field("contents", "A text, or one text for each language; clipped by OneSignal.", _LOCALIZED),
    optional_field("template_id", "The template it was made from."),
    optional_field("url", "The launch URL."),
)

_USER: Final = record_schema(
    "User",
    "The person behind the subscription. Blank means absent.",
    optional_field("onesignal_id", "OneSignal's id of the user, where the event has none."),
    optional_field("external_id", "Your id of the user, where the event has none."),
    optional_field("language", "The user's language, such as en."),
    optional_field("tags", "The user's tags by name; numbers as their texts.", ["null", TEXTS]),
)

RAW_EVENT: Final = Contract(
    "raw-event",
    1,
    record_schema(
        "RawEvent",
        "One raw OneSignal event: the canonical nested form of schemas/raw-event.schema.json.",
        required_field("event", _EVENT, "What happened, when, and to whom."),
        record_field("message", "What was sent.", _MESSAGE),
        record_field("user", "The person behind the subscription.", _USER),
        namespace=NAMESPACE,
    ),
)

_MILLISECONDS: Final[Schema] = {"type": "long", "logicalType": "timestamp-millis"}

DEAD_LETTER: Final = Contract(
    "dead-letter",
    2,
    record_schema(
        "DeadLetter",
        "One rejected message: its own bytes, why it was rejected, and where it came from.",
        required_field("reason", "string", "Why it was rejected, such as not_an_event."),
        required_field(
            "stage", "string", "The part of the pipeline that rejected it: processor or, for example, segment-sink."
        ),
        required_field("source_topic", "string", "The topic that it was read from."),
        required_field("source_partition", "int", "The partition that it was read from."),
        required_field("source_offset", "long", "Its offset there."),
        required_field("rejected_at", _MILLISECONDS, "When it was rejected."),
        required_field("rules_version", "string", "The policy that decided."),
        required_field("format_version", "string", "The version of the dead letter's format."),
        optional_field("key", "The message's key, as it was.", ["null", "bytes"]),
        optional_field("value", "The message's value, as it was.", ["null", "bytes"]),
        optional_field("destination", "The destination that was to get the event: segment or mixpanel. Null: segment."),
        optional_field("kind", "The event's canonical kind; null where it is unknown."),
        optional_field(
            "source_timestamp", "Kafka's time of the message; null if it has none.", ["null", _MILLISECONDS]
        ),
        optional_field("detail", "The decoder's or the destination's words, cleaned, at most 200 bytes of UTF-8."),
        {
            "name": "source_headers",
            "type": TEXTS,
            "default": {},
            "doc": "The headers of the message that the pipeline itself wrote, by their names there.",
        },
        namespace=NAMESPACE,
    ),
)
