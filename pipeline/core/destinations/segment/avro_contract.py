"""The Avro contract of a record for Segment, documented field by field.

It follows the rules for published versions in `pipeline.core.avro.contracts`.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.avro.contracts import NAMESPACE, TEXTS, Contract, optional_field, record_schema, required_field

_PROPERTIES: Final = record_schema(
    "Properties",
    "The properties of the track call; what is absent is null.",
    required_field("event_kind", "string", "OneSignal's name of the kind, in its canonical spelling."),
    required_field("message_type", "string", "push, in-app, email, SMS, live-activity or other."),
    optional_field("messageId", "The discrete message: OneSignal's message.id."),
    optional_field("campaign_id", "The same id, by its newer name."),
    optional_field("message_name", "The name that the message has in OneSignal."),
    optional_field("message_title", "The title in the user's language, else in English, else in the first."),
    optional_field("message_contents", "The contents in that language; clipped by OneSignal."),
    optional_field("subscription_type", "What the message was sent to, such as iOS or Email."),
    optional_field("subscription_device_type", "The same, by its newer name."),
    optional_field("subscription_id", "The subscription it was sent to."),
    optional_field("template_id", "The template it was made from."),
    optional_field("onesignal_id", "OneSignal's id of the user."),
    optional_field("language", "The user's language."),
    optional_field("url", "The launch URL without query and fragment."),
    optional_field("page_name", "In-app messages: the page that was seen or clicked on."),
    optional_field("page_id", "In-app messages: the id of that page."),
    optional_field("target_name", "In-app messages: the button or picture that was clicked."),
    optional_field("target_id", "In-app messages: the id of that target."),
    optional_field("failure_reason", "Why it failed, without addresses, phone numbers and tokens."),
    optional_field("live_activity_id", "Live activities: which one."),
    optional_field("live_activity_type", "Live activities: the type of it."),
    optional_field("live_activity_event_kind", "Live activities: start, update or end."),
)

_INTEGRATION: Final = record_schema(
    "Integration",
    "Who made the record.",
    required_field("name", "string", "Always onesignal."),
    required_field("version", "string", "The version of the record's shape, such as 1.1.0."),
)

_ONESIGNAL: Final = record_schema(
    "OneSignal",
    "What a destination can filter on.",
    optional_field("app_id", "The OneSignal app."),
    required_field("channel", "string", "push, in_app, email, sms, live_activity or other."),
    required_field("action", "string", "What happened to the message: sent, clicked …"),
    required_field("category", "string", "delivery or engagement."),
    required_field(
        "mtu",
        TEXTS,
        "counted or exempt, by destination: whether the event makes its user a billed one.",
    ),
)

_CONTEXT: Final = record_schema(
    "Context",
    "Where the record comes from.",
    required_field("integration", _INTEGRATION, "Who made the record."),
    required_field("onesignal", _ONESIGNAL, "What a destination can filter on."),
)

SEGMENT_RECORD: Final = Contract(
    "segment-record",
    2,
    record_schema(
        "SegmentRecord",
        "One record for Segment: the track call of schemas/segment-record.schema.json.",
        required_field("type", "string", "Segment's name of the call: track."),
        required_field("event", "string", "The event name of the name profile."),
        required_field(
            "messageId", "string", "What Segment removes duplicates by: OneSignal's event.id, else a UUIDv5."
        ),
        required_field("properties", _PROPERTIES, "What is known of the event."),
        required_field("context", _CONTEXT, "Where the record comes from."),
        required_field(
            "integrations", {"type": "map", "values": "boolean"}, "Segment destinations, and whether to send."
        ),
        optional_field("userId", "OneSignal's external_id. Either this or anonymousId is there."),
        optional_field("anonymousId", "OneSignal's subscription_id, where there is no external_id."),
        optional_field("timestamp", "When it happened: ISO 8601, UTC, to the millisecond."),
        namespace=NAMESPACE,
    ),
)
