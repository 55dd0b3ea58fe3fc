"""The Avro contract of a record for Mixpanel, documented field by field.

It follows the rules for published versions in `pipeline.core.avro.contracts`.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.avro.contracts import NAMESPACE, Contract, optional_field, record_schema, required_field

_PROPERTIES: Final = record_schema(
    "Properties",
    "The properties of the event; what is absent is null.",
    required_field("time", "long", "When it happened, in milliseconds since the epoch; never later than Kafka's time."),
    required_field("distinct_id", "string", "OneSignal's external_id, else $device: and the subscription id."),
    required_field("insert_id", "string", "$insert_id, by which Mixpanel removes duplicates."),
    required_field("event_kind", "string", "OneSignal's name of the kind, in its canonical spelling."),
    required_field("message_type", "string", "push, in-app, email, SMS, live-activity or other."),
    required_field("source", "string", "$source: always onesignal."),
    required_field("ip", "int", "Always 0, so that Mixpanel locates nobody at the sender's address."),
    optional_field("user_id", "$user_id: OneSignal's external_id."),
    optional_field("device_id", "$device_id: OneSignal's subscription_id, where it names the user."),
    optional_field("message_id", "Message ID: the discrete message, OneSignal's message.id."),
    optional_field("message_name", "Message Name: the name that the message has in OneSignal."),
    optional_field(
        "message_title", "Message Title: the title in the user's language, else in English, else in the first."
    ),
    optional_field("message_contents", "Message Contents: the contents in that language; clipped by OneSignal."),
    optional_field("template_id", "The template it was made from."),
    optional_field("subscription_id", "The subscription it was sent to."),
    optional_field("device_type", "What the message was sent to, such as iOS or Email."),
    optional_field("language", "The user's language."),
    optional_field("onesignal_id", "OneSignal's id of the user."),
    optional_field("app_id", "The OneSignal app."),
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

MIXPANEL_RECORD: Final = Contract(
    "mixpanel-record",
    1,
    record_schema(
        "MixpanelRecord",
        "One record for Mixpanel: the event of schemas/mixpanel-record.schema.json.",
        required_field("event", "string", "The event name, which decides whether the event makes an MTU."),
        required_field("properties", _PROPERTIES, "What is known of the event."),
        namespace=NAMESPACE,
    ),
)
