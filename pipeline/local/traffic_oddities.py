"""Messages that are not well-formed events: tombstones, garbage, unknown kinds, events without a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pipeline.local.traffic_bodies import nested
from pipeline.local.traffic_population import Person, Subscription, identifier
from pipeline.local.traffic_truth import Sort, TrafficMessage

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from pipeline.local.traffic_bodies import Fact

_NESTING: Final = 2_000
_UNKNOWN_KINDS: Final = ("message.push.snoozed", "message.whatsapp.read", "journey.entered")


def tombstone(_random: Random, regular: TrafficMessage, _fact: Fact) -> TrafficMessage:
    """Return a message without a value, as in a compacted topic."""
    return TrafficMessage(regular.key, None, Sort.TOMBSTONE)


def garbage(random: Random, regular: TrafficMessage, fact: Fact) -> TrafficMessage:
    """Return a message whose body cannot be decoded."""
    return TrafficMessage(regular.key, random.choice(_GARBAGE)(nested(fact)), Sort.UNREADABLE)


_GARBAGE: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda body: body[: len(body) // 2],
    lambda body: body.replace(b'"name":"', b'"name":"\xff\xfe', 1),
    lambda body: body.replace(b'"language":"', b'"language":"the "new" ', 1),
    lambda body: body.replace(b'"kind":', b'"sort":', 1),
    lambda _body: b"",
    lambda _body: b"null",
    lambda _body: b"[1,2,3]",
    lambda _body: b"<html><body>502 Bad Gateway</body></html>",
    lambda _body: b'{"event":' * _NESTING + b"1" + b"}" * _NESTING,
)


def unknown_kind(random: Random, regular: TrafficMessage, fact: Fact) -> TrafficMessage:
    """Return an event of an unknown kind."""
    stranger = replace(fact, spelling=random.choice(_UNKNOWN_KINDS), event_id=identifier(random))
    return TrafficMessage(regular.key, nested(stranger), Sort.UNKNOWN_KIND)


_NO_PERSON: Final = Person(None, "", "en", {}, 1.0, {})
_NO_SUBSCRIPTION: Final = Subscription("", "Email", "", "")


def without_user(random: Random, regular: TrafficMessage, fact: Fact) -> TrafficMessage:
    """Return an event with neither external id nor subscription id."""
    event_id = identifier(random)
    userless = replace(fact, person=_NO_PERSON, subscription=_NO_SUBSCRIPTION, event_id=event_id)
    return TrafficMessage(None, nested(userless), Sort.NO_USER, regular.kind, "", event_id)
