"""Event bodies in every shape that OneSignal's templates and exports produce.

Sources: schemas/SOURCES.md, "OneSignal event variables";
schemas/SOURCES.md, "OneSignal event kinds";
schemas/SOURCES.md, "OneSignal body shapes".
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
import orjson

from pipeline.local.traffic_population import Person, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Body: TypeAlias = dict[str, object]

APP_ID: Final = "7d1c9a4e-2f5b-4c1d-9e83-5a60c7b1d204"


class Campaign(msgspec.Struct, frozen=True, gc=False):
    """One message that is sent to many people. ``message`` is the ``message`` object of its events."""

    channel: str
    message: Body
    audience_share: float


class Fact(msgspec.Struct, frozen=True, gc=False):
    """One event before it is written in a shape. ``event_id`` is "" if the template omits it."""

    spelling: str
    event_id: str
    milliseconds: int
    timestamp: int | str
    person: Person
    subscription: Subscription
    message: Body
    details: Body


@lru_cache(maxsize=1024)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _event(fact: Fact) -> Body:
    seconds, rest = divmod(fact.milliseconds, 1000)
    return {
        "kind": fact.spelling,
        "id": fact.event_id,
        "timestamp": fact.timestamp,
        "datetime": f"{_second_text(seconds)}.{rest:03d}Z",
        "app_id": APP_ID,
        "subscription_device_type": fact.subscription.device_type,
        "subscription_id": fact.subscription.id,
        "onesignal_id": fact.person.onesignal_id,
        "external_id": fact.person.external_id or "",
    }


def _user(fact: Fact) -> Body:
    person, subscription = fact.person, fact.subscription
    return {
        "onesignal_id": person.onesignal_id,
        "external_id": person.external_id or "",
        "tags": person.tags,
        "language": person.language,
        "subscription": {
            "id": subscription.id,
            "app_id": APP_ID,
            "subscription_token": subscription.token,
            "session_count": fact.milliseconds % 97,
            "device_model": subscription.device_model,
        },
    }


def nested(fact: Fact) -> bytes:
    """Return the body in the canonical shape: ``event``, ``message`` and ``user`` as objects."""
    event = _event(fact)
    event["data"] = fact.details
    return orjson.dumps({"event": event, "message": fact.message, "user": _user(fact)})


def _dotted(fact: Fact) -> tuple[Body, Body, Body]:
    event = {f"event.{name}": value for name, value in _event(fact).items()}
    event |= {f"event.data.{name}": value for name, value in fact.details.items()}
    message = {f"message.{name}": _as_liquid_prints(value) for name, value in fact.message.items()}
    user: Body = {
        "user.language": fact.person.language,
        "user.subscription.subscription_token": fact.subscription.token,
        "user.subscription.device_model": fact.subscription.device_model,
    }
    return event, message, user


def _as_liquid_prints(value: object) -> object:
    """Return an object as OneSignal's templates print it: with single quotes, so not as JSON.

    Source: schemas/SOURCES.md, "OneSignal event variables".
    """
    return str(value) if isinstance(value, dict) else value


def flat(fact: Fact) -> bytes:
    """Return the body in the dotted shape of OneSignal's own sample."""
    event, message, user = _dotted(fact)
    return orjson.dumps(event | message | user)


def grouped(fact: Fact) -> bytes:
    """Return the body in the dotted shape, in groups."""
    event, message, user = _dotted(fact)
    return orjson.dumps({"Event Data": event, "Message Data": message, "User Data": user})


_BARE_COLUMNS: Final = ("app_id", "subscription_device_type", "subscription_id", "onesignal_id", "external_id")


def snake(fact: Fact) -> bytes:
    """Return the body with the columns of OneSignal's warehouse export."""
    event = _event(fact)
    row: Body = {f"event_{name}": event[name] for name in ("kind", "id", "timestamp", "datetime")}
    row |= {name: event[name] for name in _BARE_COLUMNS}
    row |= {f"message_{name}": fact.message[name] for name in ("id", "name", "title", "contents")}
    row["template_id"] = fact.message["template_id"]
    row["language"] = fact.person.language
    return orjson.dumps(row | fact.details)


SHAPES: Final[Mapping[Callable[[Fact], bytes], int]] = {nested: 88, flat: 4, grouped: 3, snake: 5}
"""The share of each shape in percent."""
