"""The generated people: their ids, the subscriptions that reach them, and how active they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from random import Random

EVENTS_PER_PERSON: Final = 25
_FEWEST_PEOPLE: Final = 20
_MOST_PEOPLE: Final = 40_000

_SHARE_WITHOUT_EXTERNAL_ID: Final = 0.12
_SHARE_WITH_PLACEHOLDER_ID: Final = 0.01
_TAIL_EXPONENT: Final = 1.2  # Pareto: the most active 5 % cause about a third of the engagement
_MOST_ACTIVE: Final = 60.0
_LANGUAGES: Final = {"en": 52, "es": 14, "de": 9, "fr": 9, "pt": 7, "ja": 5, "ar": 4}
_PLANS: Final = {"free": 70, "plus": 22, "pro": 8}
_PLACEHOLDERS: Final = ("null", "undefined", "0", "Anonymous")  # some apps write these; they identify no user

PRIVATE_MARKS: Final = (b"@private.example", b"token-private-", b"+1555010")
"""Each generated address, push token and phone number contains one of these; none may leave the pipeline."""


class Subscription(msgspec.Struct, frozen=True, gc=False):
    """One way to reach a person. ``token`` is personal data: a push token, an email address or a phone number."""

    id: str
    device_type: str
    token: str
    device_model: str


class Person(msgspec.Struct, frozen=True, gc=False):
    """One user of the app. ``external_id`` is None for a person who never logged in.

    ``activity`` is 1 for most and much more for a few.
    """

    external_id: str | None
    onesignal_id: str
    language: str
    tags: dict[str, str]
    activity: float
    subscriptions: Mapping[str, tuple[Subscription, ...]]

    def has_billable_id(self) -> bool:
        """Return whether the external id is one that a destination can bill."""
        return self.external_id is not None and self.external_id not in _PLACEHOLDERS


def identifier(random: Random) -> str:
    """Return a UUIDv4 as text."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def population_size(events: int) -> int:
    """Return how many people cause that many events."""
    return max(_FEWEST_PEOPLE, min(events // EVENTS_PER_PERSON, _MOST_PEOPLE))


def population(random: Random, size: int) -> list[Person]:
    """Return ``size`` generated people."""
    return [_person(random, number) for number in range(size)]


def _person(random: Random, number: int) -> Person:
    chance = random.random()
    if chance < _SHARE_WITHOUT_EXTERNAL_ID:
        external_id = None
    elif chance < _SHARE_WITHOUT_EXTERNAL_ID + _SHARE_WITH_PLACEHOLDER_ID:
        external_id = random.choice(_PLACEHOLDERS)
    else:
        external_id = f"u-{number:06d}"
    return Person(
        external_id,
        identifier(random),
        _pick(random, _LANGUAGES),
        {"plan": _pick(random, _PLANS), "cohort": f"2025-{random.randint(1, 12):02d}"},
        min(random.paretovariate(_TAIL_EXPONENT), _MOST_ACTIVE),
        _subscriptions(random, number),
    )


def _subscriptions(random: Random, number: int) -> dict[str, tuple[Subscription, ...]]:
    push = []
    if random.random() < 0.85:  # noqa: PLR2004 -- shares of generated people need no names
        push.append(_device(random, *random.choice((("iOS", "iPhone15,3"), ("Android", "Pixel 8")))))
    if random.random() < 0.2 or not push:  # noqa: PLR2004 -- likewise
        push.append(_device(random, *random.choice((("Chrome", "Linux x86_64"), ("Firefox", "Windows")))))
    reached: dict[str, tuple[Subscription, ...]] = {"push": tuple(push), "iam": (push[0],)}
    if random.random() < 0.6:  # noqa: PLR2004 -- likewise
        address = f"person.{number}@private.example"
        reached["email"] = (Subscription(identifier(random), "Email", address, ""),)
    if random.random() < 0.25:  # noqa: PLR2004 -- likewise
        phone = f"+1555010{number % 10_000:04d}"
        reached["sms"] = (Subscription(identifier(random), "SMS", phone, ""),)
    if push[0].device_type == "iOS":
        reached["live_activity"] = (push[0],)
    return reached


def _device(random: Random, device_type: str, model: str) -> Subscription:
    return Subscription(identifier(random), device_type, f"token-private-{random.getrandbits(160):040x}", model)


def _pick(random: Random, weights: Mapping[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]
