"""Decode one OneSignal event.

The canonical form is nested: ``event``, ``message`` and ``user``. It is decoded straight into the structs below, as are
bodies that are flat and use one spelling throughout, dotted or snake case. Every other body is read field by field
(`pipeline.core.body_shapes`). None of these raises.

Only the id of ``user.subscription`` is read, so no token, email address or phone number can leave it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import msgspec
import orjson
from msgspec.structs import astuple, fields, replace

from pipeline.core.body_shapes import DATA, EVENT, MESSAGE, USER, canonical_form
from pipeline.core.cleaning import SUBSCRIPTION_ID, cleaned, event_without_nul, is_clean, with_subscription
from pipeline.core.content import Details, EventContent, Text
from pipeline.core.field_values import is_unreadable, named, plain_text
from pipeline.core.flaws import Flaws
from pipeline.core.ids import EmptyReason, IdField, IgnoredId
from pipeline.core.json_repair import parse_alone
from pipeline.core.outcomes import RejectReason
from pipeline.core.tags import NO_TAGS, plain_tags
from pipeline.core.timestamps import Timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    _Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Facts(msgspec.Struct, frozen=True, gc=False):
    """``event``: what happened, when, and to whom. ``external_user_id`` is an older name of ``external_id``."""

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
    external_user_id: Text = None


class Person(msgspec.Struct, frozen=True, gc=False):
    """``user``: the person behind the subscription. Tags stay undecoded until a rule needs them."""

    onesignal_id: Text = None
    external_id: Text = None
    language: Text = None
    tags: msgspec.Raw = NO_TAGS
    external_user_id: Text = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One decoded OneSignal fact.

    Texts may still be blank; blank means absent. Decoding removes empty ids (`pipeline.core.cleaning`) except for
    external ids, for which the policy may add placeholders (`pipeline.core.identity`). ``flaws`` is None for most
    events. It is not a field of the struct, so no body can set it.
    """

    event: Facts
    message: EventContent | None = None
    user: Person | None = None
    external_user_id: Text = None
    flaws: ClassVar[Flaws | None] = None

    def with_flaws(self, flaws: Flaws) -> Event:
        """Return the event with the flaws of its ids."""
        return _FlawedEvent(self.event, self.message, self.user, self.external_user_id, flaws)


class _FlawedEvent(Event, frozen=True, gc=False):
    flaws: Flaws | None = None  # type: ignore[misc] # the class variable of `Event` is None


_ABSENT: Final = msgspec.Raw(b"null")


class _Subscription(msgspec.Struct, frozen=True, gc=False):
    """``user.subscription``, of which only the id is read."""

    id: msgspec.Raw = _ABSENT


class _Subscriber(msgspec.Struct, frozen=True, gc=False):
    subscription: msgspec.Raw = _ABSENT
    subscription_id: msgspec.Raw = msgspec.field(default=_ABSENT, name="subscription.id")


class _Owner(msgspec.Struct, frozen=True, gc=False):
    """A nested body, of which only the user's subscription is read."""

    user: _Subscriber | None = None
    subscription_id: msgspec.Raw = msgspec.field(default=_ABSENT, name=SUBSCRIPTION_ID)


_SHORT_NAMES: Final = {
    **{f"event.{name}": name for name in ("app_id", "subscription_id", "onesignal_id", "external_id")},
    **{f"event.data.{field.name}": field.name for field in fields(Details)},
    "event.subscription_device_type": "subscription_device_type",
    "message.template_id": "template_id",
    "user.language": "language",
}
"""Columns of the warehouse export that are not a field's path with underscores for dots
(schemas/SOURCES.md, "OneSignal body shapes")."""

_NEVER_READ: Final = (
    *(
        f"user.subscription.{name}"
        for name in (
            *("id", "app_id", "subscription_token", "session_count", "language", "game_version", "last_active"),
            *("play_time", "amount_spent", "created_at", "subscribed", "sdk", "device_model", "device_os"),
        )
    ),
    "user.subscription",
)
"""OneSignal's variables that are ignored (schemas/SOURCES.md, "OneSignal event variables")."""

_OF_FACTS: Final = [field for field in fields(Facts) if field.name != "data"]
_FIELDS: Final = [
    *((f"event.{field.name}", field) for field in _OF_FACTS),
    *((f"event.data.{field.name}", field) for field in fields(Details)),
    *((f"message.{field.name}", field) for field in fields(EventContent)),
    *((f"user.{field.name}", field) for field in fields(Person)),
    ("external_user_id", fields(Facts)[-1]),
]
_FACTS: Final = len(_OF_FACTS)
_DETAILS: Final = _FACTS + len(fields(Details))
_CONTENT: Final = _DETAILS + len(fields(EventContent))
_PERSON: Final = _CONTENT + len(fields(Person))


_LATER_NAMES: Final = frozenset({"external_user_id", "app_url", "web_url", "live_activity_event_kind"})
"""Fields that early versions did not read. Their content does not change how the rest of a body is read."""
_LATER_CONTENT: Final = _LATER_NAMES - {"external_user_id"}
"""The later fields of the content. No version refused a flat body because of them."""


def _flat_decoder(spell: Callable[[str], str], raw: Collection[str] = ()) -> Callable[[bytes], msgspec.Struct]:
    """Return a decoder of flat bodies that spell all keys in one way. It refuses any other key.

    Fields named in ``raw`` stay undecoded.
    """
    known = [
        (f"field_{number}", msgspec.Raw, msgspec.field(default=_ABSENT, name=spell(path)))
        if field.name in raw
        else (f"field_{number}", field.type, msgspec.field(default=field.default, name=spell(path)))
        for number, (path, field) in enumerate(_FIELDS)
    ]
    other = [
        (f"other_{number}", msgspec.Raw, msgspec.field(default=NO_TAGS, name=spell(path)))
        for number, path in enumerate(_NEVER_READ)
    ]
    body = msgspec.defstruct("FlatBody", [*known, *other], frozen=True, gc=False, forbid_unknown_fields=True)
    return msgspec.json.Decoder(body).decode


def _with_raw_fields(struct: type[msgspec.Struct], **parts: Any) -> type[msgspec.Struct]:
    """Return a struct whose later fields stay undecoded; `parts` are the types of some other fields."""
    return msgspec.defstruct(
        f"Raw{struct.__name__}",
        [
            (field.name, msgspec.Raw, _ABSENT)
            if field.name in _LATER_NAMES
            else (field.name, parts.get(field.name, field.type), field.default)
            for field in sorted(fields(struct), key=lambda field: field.default is not msgspec.NODEFAULT)
        ],
        frozen=True,
        gc=False,
    )


def _raw_nested() -> type[msgspec.Struct]:
    facts, content, person = (_with_raw_fields(struct) for struct in (Facts, EventContent, Person))
    return _with_raw_fields(Event, event=facts, message=content | None, user=person | None)


_decode_nested: Final = msgspec.json.Decoder(Event).decode
_decode_raw_nested: Final = msgspec.json.Decoder(_raw_nested()).decode
_LACKS_EVENT: Final = "Object missing required field `event`"
"""How msgspec's error begins when a body is not nested."""
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _snake(path: str) -> str:
    return _SHORT_NAMES.get(path) or path.replace(".", "_")


_DOTTED: Final = _flat_decoder(str), _flat_decoder(str, _LATER_CONTENT)
_SNAKE: Final = _flat_decoder(_snake), _flat_decoder(_snake, _LATER_CONTENT)

_NUL: Final = rb"\u0000"
_BACKSLASH: Final = _NUL[0]
"""Searched for first: finding one byte takes a twentieth of the time."""

_decode_owner: Final = msgspec.json.Decoder(_Owner).decode
_decode_subscription: Final = msgspec.json.Decoder(_Subscription).decode


def decode(value: bytes) -> Event | RejectReason:
    """Decode an event of any known shape; return the reason when it cannot be used. Never raises.

    The kind may be blank or unknown: the policy decides what to do with it.
    """
    second_look = _look_again_nested
    try:
        event = _decode_nested(value)
    except _UNDECODABLE as error:
        odd = None if str(error).startswith(_LACKS_EVENT) else _decode_odd_nested(value)
        if odd is None:
            second_look = _look_again_flat
            odd = _decode_flat(value)
        if odd is None:
            return _decode_tolerantly(value)
        event = odd
    if _BACKSLASH in value and _NUL in value:
        event = event_without_nul(event)
    if not is_clean(event):
        event = cleaned(event)
    return event if event.event.kind and event.event.subscription_id else second_look(event, value)


def _decode_odd_nested(value: bytes) -> Event | None:
    """Decode a nested body whose later fields are not text; None when other fields do not fit either."""
    try:
        body: Any = _decode_raw_nested(value)
    except _UNDECODABLE:
        return None
    parts = {"": body, "event.": body.event, "user.": body.user}
    second_ids = {f"{path}external_user_id": part.external_user_id for path, part in parts.items() if part is not None}
    unreadable = tuple(
        IgnoredId(path, IdField.EXTERNAL_ID, named(item), EmptyReason.UNREADABLE)
        for path, raw in second_ids.items()
        if is_unreadable(item := parse_alone(raw))
    )
    event = Event(
        event=_with_texts(body.event, Facts),
        message=None if body.message is None else _with_texts(body.message, EventContent),
        user=None if body.user is None else _with_texts(body.user, Person),
        external_user_id=plain_text(parse_alone(body.external_user_id)),
    )
    return event.with_flaws(Flaws(unreadable=unreadable)) if unreadable else event


def _with_texts(part: msgspec.Struct, struct: type[_Struct]) -> _Struct:
    """Return one part of an event with the texts that its raw fields hold."""
    values = {name: getattr(part, name) for name in struct.__struct_fields__}
    raws = {name: value for name, value in values.items() if name in _LATER_NAMES and isinstance(value, msgspec.Raw)}
    return struct(**{**values, **{name: plain_text(parse_alone(raw)) for name, raw in raws.items()}})


def _decode_flat(value: bytes) -> Event | None:
    """Decode a body that is flat and uses one spelling; None when it does not, or when an early field does not fit."""
    decode_usual, decode_raw = _DOTTED if b'"event.kind"' in value else _SNAKE
    try:
        return _from_flat(decode_usual(value))
    except _UNDECODABLE:
        pass
    try:
        event = _from_flat(decode_raw(value))
    except _UNDECODABLE:
        return None
    return replace(event, message=_with_texts(event.message or EventContent(), EventContent))


def _from_flat(body: msgspec.Struct) -> Event:
    values = astuple(body)
    *before_data, after_data = values[:_FACTS]
    facts = (*before_data, Details(*values[_FACTS:_DETAILS]), after_data)
    return Event(
        Facts(*facts),
        EventContent(*values[_DETAILS:_CONTENT]),
        Person(*values[_CONTENT:_PERSON]),
        values[_PERSON],
    )


def _look_again_nested(event: Event, value: bytes) -> Event:
    """Search a nested body for a missing kind or subscription under its other names."""
    if not event.event.kind:
        found = _decode_tolerantly(value)
        return found if isinstance(found, Event) else event
    names = b'"subscription"', b'subscription.id"'
    return with_subscription(event, _nested_subscriptions(value)) if any(name in value for name in names) else event


def _look_again_flat(event: Event, value: bytes) -> Event:
    """Search a flat body for a missing kind or subscription under its other names."""
    if event.event.kind and b'"user.subscription' not in value and b'"user_subscription' not in value:
        return event
    found = _decode_tolerantly(value)
    return found if isinstance(found, Event) else event


def _nested_subscriptions(value: bytes) -> Iterator[str | None]:
    """Return ``user.subscription.id`` of a nested body as text, from every location where it can be."""
    body = _decoded(_decode_owner, value, _Owner())
    user = body.user or _Subscriber()
    subscription = _decoded(_decode_subscription, user.subscription, _Subscription())
    for raw in (subscription.id, user.subscription_id, body.subscription_id):
        yield plain_text(parse_alone(raw))


def _decoded(decode: Callable[[Any], _Struct], text: bytes | msgspec.Raw, otherwise: _Struct) -> _Struct:
    try:
        return decode(text)
    except _UNDECODABLE:
        return otherwise


def _decode_tolerantly(value: bytes) -> Event | RejectReason:
    parts = canonical_form(value)
    if isinstance(parts, RejectReason):
        return parts
    fields_of, flaws = parts
    user = fields_of[USER]
    if "tags" in user:
        user["tags"] = msgspec.Raw(orjson.dumps(plain_tags(user["tags"])))
    event = Event(
        event=Facts(**fields_of[EVENT], data=Details(**fields_of[DATA])),
        message=EventContent(**fields_of[MESSAGE]),
        user=Person(**user),
    )
    return event if flaws is None else event.with_flaws(flaws)
