"""Decode one OneSignal event.

The canonical form is nested: ``event``, ``message`` and ``user``. It is decoded straight into the structs below, and so
are bodies that are flat in one spelling throughout, dotted or snake case. Whatever does not fit them exactly goes
through `pipeline.core.body_shapes`, field by field. None of them raises.

``user.subscription`` is not read at all, so no token, email address or phone number can come out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import orjson
from msgspec.structs import astuple, fields

from pipeline.core.body_shapes import DATA, EVENT, MESSAGE, USER, canonical_form
from pipeline.core.content import Content, Text
from pipeline.core.outcomes import RejectReason
from pipeline.core.tags import NO_TAGS, plain_tags
from pipeline.core.timestamps import Timestamp

if TYPE_CHECKING:
    from collections.abc import Callable


class Details(msgspec.Struct, frozen=True, gc=False):
    """``event.data``: what only some kinds have."""

    page_name: Text = None
    page_id: Text = None
    target_name: Text = None
    target_id: Text = None
    failure_reason: Text = None
    live_activity_id: Text = None
    live_activity_type: Text = None


class Facts(msgspec.Struct, frozen=True, gc=False):
    """``event``: what happened, when, and to whom."""

    kind: str
    id: Text = None
    timestamp: Timestamp = None
    datetime: Text = None
    app_id: Text = None
    subscription_device_type: Text = None
    subscription_id: Text = None
    onesignal_id: Text = None
    external_id: Text = None
    data: Details | None = None


class Person(msgspec.Struct, frozen=True, gc=False):
    """``user``: the person behind the subscription. Tags stay undecoded until a rule asks for them."""

    onesignal_id: Text = None
    external_id: Text = None
    language: Text = None
    tags: msgspec.Raw = NO_TAGS


class Event(msgspec.Struct, frozen=True, gc=False):
    """One decoded OneSignal fact. Texts may still be blank; blank means absent."""

    event: Facts
    message: Content | None = None
    user: Person | None = None


_SHORT_NAMES: Final = {
    **{f"event.{name}": name for name in ("app_id", "subscription_id", "onesignal_id", "external_id")},
    **{f"event.data.{field.name}": field.name for field in fields(Details)},
    "event.subscription_device_type": "subscription_device_type",
    "message.template_id": "template_id",
    "user.language": "language",
}
"""The warehouse's columns that are not a field's path with underscores for dots (domain.md 1.4)."""

_NEVER_READ: Final = (
    *("message.app_url", "message.web_url", "message.live_activity_event_kind"),
    *(
        f"user.subscription.{name}"
        for name in (
            *("id", "app_id", "subscription_token", "session_count", "language", "game_version", "last_active"),
            *("play_time", "amount_spent", "created_at", "subscribed", "sdk", "device_model", "device_os"),
        )
    ),
    "user.subscription",
)
"""OneSignal's other variables (domain.md 1.2)."""

_FIELDS: Final = [
    *(("event", field) for field in fields(Facts)[:-1]),
    *(("event.data", field) for field in fields(Details)),
    *(("message", field) for field in fields(Content)),
    *(("user", field) for field in fields(Person)),
]
_FACTS: Final = len(fields(Facts)) - 1
_DETAILS: Final = _FACTS + len(fields(Details))
_CONTENT: Final = _DETAILS + len(fields(Content))
_PERSON: Final = _CONTENT + len(fields(Person))


def _flat_decoder(spell: Callable[[str], str]) -> Callable[[bytes], msgspec.Struct]:
    """Make a decoder of bodies whose keys are all spelled in one way; any other key is refused."""
    known = [
        (f"field_{place}", field.type, msgspec.field(default=field.default, name=spell(f"{part}.{field.name}")))
        for place, (part, field) in enumerate(_FIELDS)
    ]
    other = [
        (f"other_{place}", msgspec.Raw, msgspec.field(default=NO_TAGS, name=spell(path)))
        for place, path in enumerate(_NEVER_READ)
    ]
    body = msgspec.defstruct("FlatBody", [*known, *other], frozen=True, gc=False, forbid_unknown_fields=True)
    return msgspec.json.Decoder(body).decode


_decode_nested: Final = msgspec.json.Decoder(Event).decode
_decode_dotted: Final = _flat_decoder(str)
_decode_snake: Final = _flat_decoder(lambda path: _SHORT_NAMES.get(path) or path.replace(".", "_"))


def decode(value: bytes) -> Event | RejectReason:
    """Decode an event of any known shape, or tell why it cannot be used. Total over any bytes.

    The kind may be blank or unknown; the policy's plan for it tells.
    """
    try:
        return _decode_nested(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _from_flat(_decode_dotted(value) if b'"event.kind"' in value else _decode_snake(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_tolerantly(value)


def _from_flat(body: msgspec.Struct) -> Event:
    values = astuple(body)
    facts = (*values[:_FACTS], Details(*values[_FACTS:_DETAILS]))
    return Event(Facts(*facts), Content(*values[_DETAILS:_CONTENT]), Person(*values[_CONTENT:_PERSON]))


def _decode_tolerantly(value: bytes) -> Event | RejectReason:
    parts = canonical_form(value)
    if isinstance(parts, RejectReason):
        return parts
    user = parts[USER]
    if "tags" in user:
        user["tags"] = msgspec.Raw(orjson.dumps(plain_tags(user["tags"])))
    return Event(
        event=Facts(**parts[EVENT], data=Details(**parts[DATA])),
        message=Content(**parts[MESSAGE]),
        user=Person(**user),
    )
