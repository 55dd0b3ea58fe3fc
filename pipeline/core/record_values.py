"""The values that the records of every destination are built from, cleaned.

Texts by language become one text: the user's language, else English, else the first, also if they arrive as one text
(`pipeline.core.localized`). `pipeline.core.privacy` cleans the launch URL and the failure reason. Empty ids were
removed before (`pipeline.core.cleaning`); blank texts and placeholders are removed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec.structs import asdict

from pipeline.core.content import Details, EventContent
from pipeline.core.events import Person
from pipeline.core.kinds import Channel
from pipeline.core.localized import one_text
from pipeline.core.privacy import clean_reason, clean_url
from pipeline.core.texts import PLACEHOLDERS, SURE_BEGINNINGS, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.events import Event

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

_SURE: Final = SURE_BEGINNINGS
_NO_CONTENT: Final = EventContent()
_NO_PERSON: Final = Person()
_NO_DETAILS: Final = Details()
_APP_DEVICES: Final = ("ios", "android", "huawei", "amazon", "fireos", "fire os", "kindle")
"""Devices whose links open an app, by the beginning of OneSignal's name (iOS, AndroidPush, FireOSPush …)."""
_TEMPORARY_ID: Final = "local-"
"""The prefix of a onesignal_id that the SDK generated before it had a real one
(schemas/SOURCES.md, "OneSignal temporary ids")."""

_Text: TypeAlias = str | None
RecordValues: TypeAlias = tuple[
    _Text, _Text, _Text, _Text, _Text, _Text, _Text, _Text, _Text, _Text, dict[str, _Text] | None
]
"""The message's id, its name, title, contents, device type, subscription id, template id, OneSignal's id of the user,
language, URL; and by name what only some kinds have. It is a tuple because one is built for every record."""


def record_values(event: Event) -> RecordValues:
    """Return the values of an event, each None where it is absent.

    Runs for every record, so usual texts are recognized inline by their first character.
    """
    facts, content, person = event.event, event.message or _NO_CONTENT, event.user or _NO_PERSON
    name, title, contents = content.name, content.title, content.contents
    device, language, url = facts.subscription_device_type, person.language, content.url
    onesignal_id = facts.onesignal_id
    device = device if device and (device[0] in _SURE or shown(device)) else None
    language = language if language and (language[0] in _SURE or shown(language)) else None
    link = clean_url(url) if url and (url[0] in _SURE or shown(url)) else None
    if (content.app_url or content.web_url) and not shown(url):
        link = _link_of_device(content, device)
    kind = content.live_activity_event_kind
    return (
        content.id or None,
        name if name and (name[0] in _SURE or (name not in PLACEHOLDERS and not name.isspace())) else None,
        None if not title else title if isinstance(title, str) and title[0] in _SURE else one_text(title, language),
        None
        if not contents
        else contents
        if isinstance(contents, str) and contents[0] in _SURE
        else one_text(contents, language),
        device,
        facts.subscription_id or None,
        content.template_id or None,
        onesignal_id if onesignal_id and onesignal_id[0] != _TEMPORARY_ID[0] else _real_id(onesignal_id, person),
        language,
        link,
        None
        if not kind and (facts.data is None or facts.data == _NO_DETAILS)
        else _details(facts.data or _NO_DETAILS, kind),
    )


def _details(details: Details, live_activity_event_kind: str | None) -> dict[str, str | None]:
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
