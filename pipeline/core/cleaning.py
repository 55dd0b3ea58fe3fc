"""Take out of a decoded event the ids that are empty, and U+0000.

Nearly every event is clean, and `is_clean` is written to tell so fast: a first or last character settles most ids. Two
things are left to others. External ids are chosen in `pipeline.core.identity`, for the policy may name further words
that stand for nobody. Texts are judged where they are used (`pipeline.core.texts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec.structs import asdict, astuple, replace

from pipeline.core.content import EventContent
from pipeline.core.flaws import Flaws
from pipeline.core.ids import EMPTY_IDS, EmptyReason, IdField, IgnoredId
from pipeline.core.privacy import may_name_a_person
from pipeline.core.texts import NUL, PLACEHOLDERS, shown, without_nul

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Struct

    from pipeline.core.content import Localized
    from pipeline.core.events import Event, Person

    _Struct = TypeVar("_Struct", bound=Struct)

SUBSCRIPTION_ID: Final = "user.subscription.id"
"""Where the user's subscription is; the event's own is ``event.subscription_id``."""

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
"""The ids that are judged when an event is decoded, by the path at which the canonical form has them."""

_FIRST: Final = EMPTY_IDS.sure_first
_LAST: Final = EMPTY_IDS.sure_last
_reason: Final = EMPTY_IDS.reason
_NO_KINDS: Final = PLACEHOLDERS | {""}
_NO_CONTENT: Final = EventContent()
_LOCALIZED: Final = frozenset({"title", "contents"})


def is_clean(event: Event) -> bool:
    """Tell whether an event has a kind, and no id that is empty. Runs for every event.

    It is one expression without calls, so that an id costs 30 ns.
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
        and facts.kind not in _NO_KINDS
    )


def holds_nul(event: Event) -> bool:
    """Tell whether any text of an event has U+0000, which goes nowhere."""
    facts, content, person = event.event, event.message or _NO_CONTENT, event.user
    texts = (
        f"{facts.kind}{facts.id}{facts.app_id}{facts.subscription_device_type}{facts.subscription_id}"
        f"{facts.onesignal_id}{facts.external_id}{facts.external_user_id}{event.external_user_id}{content.id}"
        f"{content.name}{content.template_id}{content.url}{content.app_url}{content.web_url}"
        f"{content.live_activity_event_kind}"
    )
    return (
        NUL in texts
        or _localized_holds_nul(content.title)
        or _localized_holds_nul(content.contents)
        or (facts.data is not None and any(text and NUL in text for text in astuple(facts.data)))
        or (person is not None and _person_holds_nul(person))
    )


def _person_holds_nul(person: Person) -> bool:
    return NUL in f"{person.onesignal_id}{person.external_id}{person.language}{person.external_user_id}"


def _localized_holds_nul(localized: Localized) -> bool:
    texts = (*localized, *localized.values()) if isinstance(localized, dict) else (localized,)
    return any(isinstance(text, str) and NUL in text for text in texts)


def cleaned(event: Event) -> Event:
    """Return an event without empty ids and without U+0000; the ids that were ignored are in its flaws."""
    ignored: list[IgnoredId] = []
    facts = _cleaned(event.event, "event", ignored)
    content = None if event.message is None else _cleaned(event.message, "message", ignored)
    person = None if event.user is None else _cleaned(event.user, "user", ignored)
    if facts.data is not None:
        facts = replace(facts, data=_cleaned(facts.data, "event.data", ignored))
    external_id = event.external_user_id and without_nul(event.external_user_id)
    flaws = Flaws(ignored=tuple(ignored)) if ignored else None
    return replace(
        event,
        event=replace(facts, kind=shown(facts.kind) or ""),
        message=content,
        user=person,
        external_user_id=external_id,
        flaws=flaws,
    )


def with_subscription(event: Event, subscription_id: str | None) -> Event:
    """Return an event with the subscription of its user, if that names something; the event has none of its own."""
    ignored = [] if event.flaws is None else [*event.flaws.ignored]
    found = usable_id(SUBSCRIPTION_ID, subscription_id, ignored)
    if found is not None:
        return replace(event, event=replace(event.event, subscription_id=found))
    return replace(event, flaws=Flaws(ignored=tuple(ignored))) if ignored else event


def usable_id(path: str, text: str | None, ignored: list[IgnoredId]) -> str | None:
    """Return an id without U+0000 if it names something, else None; an ignored one is added to a list."""
    if not text:
        return None
    found = without_nul(text)
    reason = _reason(found)
    if reason is None and path == SUBSCRIPTION_ID and may_name_a_person(found):
        reason = EmptyReason.PERSONAL
    if reason is None:
        return found
    if reason is not EmptyReason.BLANK:
        ignored.append(IgnoredId(path, ID_FIELDS[path], found, reason))
    return None


def texts_without_nul(texts: dict[str, Any]) -> dict[str, Any]:
    """Return one text for each language, without U+0000."""
    if not _localized_holds_nul(texts):
        return texts
    return {
        without_nul(language): without_nul(text) if isinstance(text, str) else text for language, text in texts.items()
    }


def _cleaned(part: _Struct, path: str, ignored: list[IgnoredId]) -> _Struct:
    """Clean the ids of one part, but for external ids, and take U+0000 out of all its texts."""
    changed: dict[str, object] = {}
    for name, value in asdict(part).items():
        if isinstance(value, str):
            here = f"{path}.{name}"
            if here in ID_FIELDS:
                changed[name] = usable_id(here, value, ignored)
            elif name != "timestamp":
                changed[name] = without_nul(value)
        elif isinstance(value, dict) and name in _LOCALIZED:
            changed[name] = texts_without_nul(value)
    return replace(part, **changed)
