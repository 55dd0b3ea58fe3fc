"""Remove empty ids and U+0000 from a decoded event.

Nearly every event is clean, so `is_clean` is written for speed: the first or last character decides for most ids. Two
things are done elsewhere. `pipeline.core.identity` chooses the external id, because the policy may add placeholders.
Texts are checked where they are used (`pipeline.core.texts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from msgspec.structs import asdict, replace

from pipeline.core.content import Details, EventContent
from pipeline.core.flaws import Flaws
from pipeline.core.ids import EMPTY_IDS, EmptyReason, IdField, IgnoredId
from pipeline.core.kinds import SPELLINGS
from pipeline.core.privacy import may_name_a_person
from pipeline.core.texts import NUL, shown, texts_without_nul, without_nul

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from msgspec import Struct

    from pipeline.core.events import Event

    _Struct = TypeVar("_Struct", bound=Struct)

SUBSCRIPTION_ID: Final = "user.subscription.id"
"""The path of the user's subscription; the event's own is ``event.subscription_id``."""

ID_FIELDS: Final[Mapping[str, IdField]] = {
    "event.id": IdField.EVENT_ID,
    "event.app_id": IdField.APP_ID,
    "event.subscription_id": IdField.SUBSCRIPTION_ID,
    "event.onesignal_id": IdField.ONESIGNAL_ID,
    "message.id": IdField.MESSAGE_ID,
    "message.template_id": IdField.TEMPLATE_ID,
    "user.onesignal_id": IdField.ONESIGNAL_ID,
    SUBSCRIPTION_ID: IdField.SUBSCRIPTION_ID,
}
"""The ids that are checked when an event is decoded, by their path in the canonical form."""

_FIRST: Final = EMPTY_IDS.sure_first
_LAST: Final = EMPTY_IDS.sure_last
_reason: Final = EMPTY_IDS.reason
_NO_CONTENT: Final = EventContent()
_NO_DETAILS: Final = Details()


def is_clean(event: Event) -> bool:
    """Return whether an event has a kind and no empty id. Runs for every event.

    It is one expression without calls, so an id costs 30 ns.
    """
    facts, content, person = event.event, event.message or _NO_CONTENT, event.user
    event_id, app_id, subscription_id, onesignal_id = facts.id, facts.app_id, facts.subscription_id, facts.onesignal_id
    message_id, template_id = content.id, content.template_id
    return (
        (not event_id or event_id[0] in _FIRST or event_id[-1] in _LAST or not _reason(event_id))
        and (not app_id or app_id[0] in _FIRST or app_id[-1] in _LAST or not _reason(app_id))
        and (
            not subscription_id
            or subscription_id[0] in _FIRST
            or subscription_id[-1] in _LAST
            or not _reason(subscription_id)
        )
        and (not onesignal_id or onesignal_id[0] in _FIRST or onesignal_id[-1] in _LAST or not _reason(onesignal_id))
        and (not message_id or message_id[0] in _FIRST or message_id[-1] in _LAST or not _reason(message_id))
        and (not template_id or template_id[0] in _FIRST or template_id[-1] in _LAST or not _reason(template_id))
        and (person is None or not person.onesignal_id or not _reason(person.onesignal_id))
        and (facts.kind in SPELLINGS or shown(facts.kind) is not None)
    )


def cleaned(event: Event) -> Event:
    """Return an event without empty ids, which are listed in its flaws. A placeholder as kind becomes blank."""
    ignored = [] if event.flaws is None else [*event.flaws.ignored]
    facts = _with_usable_ids(event.event, "event", ignored)
    content = None if event.message is None else _with_usable_ids(event.message, "message", ignored)
    person = None if event.user is None else _with_usable_ids(event.user, "user", ignored)
    facts = replace(facts, kind=shown(facts.kind) or "")
    return _flawed(replace(event, event=facts, message=content, user=person), ignored)


def with_subscription(event: Event, subscription_ids: Iterable[str | None]) -> Event:
    """Return an event that has no subscription with the first one of its user that is not empty."""
    ignored = [] if event.flaws is None else [*event.flaws.ignored]
    usable = (usable_id(SUBSCRIPTION_ID, text, ignored) for text in subscription_ids)
    found = next(filter(None, usable), None)
    facts = event.event if found is None else replace(event.event, subscription_id=found)
    return _flawed(replace(event, event=facts), ignored)


def _flawed(event: Event, ignored: list[IgnoredId]) -> Event:
    """Return an event with the ignored ids added to its flaws."""
    if not ignored:
        return event
    flaws = event.flaws or Flaws()
    return event.with_flaws(Flaws(tuple(ignored), flaws.unreadable, flaws.external_ids))


def usable_id(path: str, text: str | None, ignored: list[IgnoredId]) -> str | None:
    """Return an id; None when it is empty. An ignored id is added to the list."""
    if not text:
        return None
    reason = _reason(text)
    if reason is None and path == SUBSCRIPTION_ID and may_name_a_person(text):
        reason = EmptyReason.PERSONAL
    if reason is None:
        return text
    if reason is not EmptyReason.BLANK:
        ignored.append(IgnoredId(path, ID_FIELDS[path], text, reason))
    return None


def is_without_nul(event: Event) -> bool:
    """Return whether no text of an event, except its content, contains U+0000. Runs for every Avro event."""
    facts, person = event.event, event.user
    return (
        NUL not in f"{facts.kind}{facts.id or ''}{facts.app_id or ''}{facts.subscription_device_type or ''}"
        and NUL not in f"{facts.subscription_id or ''}{facts.onesignal_id or ''}{facts.external_id or ''}"
        and NUL not in f"{facts.datetime or ''}{facts.timestamp or ''}"
        and (facts.data is None or facts.data == _NO_DETAILS or facts.data == part_without_nul(facts.data))
        and (
            person is None or NUL not in f"{person.onesignal_id or ''}{person.external_id or ''}{person.language or ''}"
        )
    )


def content_without_nul(content: EventContent) -> EventContent:
    """Return content without U+0000 in any text."""
    title, contents = content.title, content.contents
    if (
        (title is None or isinstance(title, str))
        and (contents is None or isinstance(contents, str))
        and NUL not in f"{content.id}{content.name}{title}{contents}{content.template_id}{content.url}"
    ):
        return content
    return part_without_nul(content)


def event_without_nul(event: Event) -> Event:
    """Return an event without U+0000 in any text."""
    facts = part_without_nul(event.event)
    return replace(
        event,
        event=facts if facts.data is None else replace(facts, data=part_without_nul(facts.data)),
        message=None if event.message is None else part_without_nul(event.message),
        user=None if event.user is None else part_without_nul(event.user),
        external_user_id=event.external_user_id and without_nul(event.external_user_id),
    )


def _with_usable_ids(part: _Struct, path: str, ignored: list[IgnoredId]) -> _Struct:
    texts = {f"{path}.{name}": getattr(part, name) for name in part.__struct_fields__}
    changed = {
        here.rpartition(".")[2]: usable_id(here, text, ignored) for here, text in texts.items() if here in ID_FIELDS
    }
    return replace(part, **changed)


def part_without_nul(part: _Struct) -> _Struct:
    """Return one part of an event without U+0000 in any text."""
    values = asdict(part).items()
    texts = {name: without_nul(value) for name, value in values if isinstance(value, str)}
    localized = {name: texts_without_nul(value) for name, value in values if isinstance(value, dict)}
    return replace(part, **texts, **localized)
