"""The events of a campaign: whom it is sent to, and how and when they react."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from pipeline.local.traffic_bodies import Body, Campaign
from pipeline.local.traffic_population import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

    from pipeline.local.traffic_population import Person, Subscription


class Step(msgspec.Struct, frozen=True, gc=False):
    """One event that can follow the event before it.

    ``chance`` applies to a person with activity 1. With ``by_activity`` a more active person does it more often, up to
    ``most`` times. The event follows within ``spread_seconds``.
    """

    kind: str
    chance: float
    spread_seconds: int
    by_activity: bool = False
    most: int = 1
    details: Body = {}  # msgspec copies it; it is never written to


# A fixed rotation, not random: a short run covers every channel too.
_CHANNELS: Final = ("push", "email", "iam", "sms", "live_activity", "push", "email", "push", "iam", "push")

_PAGE: Final[Body] = {"page_name": "offers", "page_id": "5b1f6a0e-8a4d-4c55-9f2e-0d6b1c2f7a11"}
_TARGET: Final[Body] = {"target_name": "shop-now", "target_id": "e3a1c9d2-77b0-4f0e-8d2b-64c1a9f05b3e"}
_LIVE_ACTIVITY: Final[Body] = {"live_activity_id": "order-tracking", "live_activity_type": "OrderAttributes"}

_STEPS: Final[Mapping[str, tuple[Step, ...]]] = {
    "push": (
        Step("message.push.sent", 0.99, 25),
        Step("message.push.received", 0.90, 75),
        Step("message.push.clicked", 0.04, 600, by_activity=True),
        Step("message.push.failed", 0.01, 25, details={"failure_reason": "InvalidDeviceToken"}),
        Step("message.push.unsubscribed", 0.002, 600),
    ),
    "email": (
        Step("message.email.sent", 0.985, 50),
        Step("message.email.received", 0.95, 100),
        Step("message.email.opened", 0.16, 1_200, by_activity=True, most=4),
        Step("message.email.clicked", 0.03, 1_800, by_activity=True, most=2),
        Step("message.email.unsubscribed", 0.002, 1_800),
        Step("message.email.reported_as_spam", 0.001, 1_800),
        Step("message.email.bounced", 0.008, 100),
        Step(
            "message.email.failed", 0.004, 600, details={"failure_reason": "550 mailbox person.7@private.example full"}
        ),
        Step("message.email.suppressed", 0.004, 50),
    ),
    "iam": (
        Step("message.iam.impression", 0.25, 1_200, by_activity=True, most=6),
        Step("message.iam.page_displayed", 0.08, 1_200, by_activity=True, most=4, details=_PAGE),
        Step("message.iam.clicked", 0.03, 1_200, by_activity=True, most=2, details=_PAGE | _TARGET),
    ),
    "sms": (
        Step("message.sms.sent", 0.98, 50),
        Step("message.sms.delivered", 0.94, 100),
        Step("message.sms.failed", 0.02, 50),
        Step("message.sms.undelivered", 0.02, 100),
    ),
    "live_activity": (
        Step("message.live_activity.sent", 0.98, 5, details=_LIVE_ACTIVITY),
        Step("message.live_activity.delivered", 0.93, 10),
        Step("message.live_activity.clicked", 0.05, 300, by_activity=True),
        Step("message.live_activity.unsubscribed", 0.01, 300),
        Step("message.live_activity.failed", 0.02, 5),
    ),
}

_SHARE_TO_EVERYONE: Final = 0.7
_TITLES: Final = {
    "en": "Your weekend picks are here \U0001f389",
    "es": "Tus favoritos del fin de semana",
    "de": "Deine Auswahl fürs Wochenende",
    "ja": "週末のおすすめ",
    "ar": "اختياراتك لعطلة نهاية الأسبوع",
}
_CONTENTS: Final = "Fresh arrivals, picked for you. Open before Sunday"  # OneSignal clips contents at 50 characters

BLANK_MESSAGE: Final[Body] = dict.fromkeys(("id", "name", "title", "contents", "template_id", "url"), "")
"""The ``message`` of an engagement more than 30 days after the message
(schemas/SOURCES.md, "OneSignal messages after 30 days")."""


class Happening(NamedTuple):
    """One step of one subscription of one person; ``message`` is the event's ``message`` object."""

    milliseconds: int
    step: Step
    person: Person
    subscription: Subscription
    message: Body


def campaign(random: Random, number: int) -> Campaign:
    """Return the next campaign; most campaigns go to everyone whom their channel reaches."""
    channel = _CHANNELS[(number - 1) % len(_CHANNELS)]
    localized = channel in {"push", "iam", "live_activity"}
    message: Body = {
        "id": identifier(random),
        "name": f"{channel}-campaign-{number:03d}",
        "title": _TITLES if localized else _TITLES["en"],
        "contents": "" if channel == "email" else _CONTENTS,
        "template_id": identifier(random) if number % 3 else "",
        "url": f"https://shop.example/weekend/{number}" if channel in {"push", "email"} else "",
    }
    share = 1.0 if random.random() < _SHARE_TO_EVERYONE else random.uniform(0.05, 0.4)
    return Campaign(channel, message, share)


def happenings(random: Random, sent: Campaign, people: Sequence[Person], start: int) -> Iterator[Happening]:
    """Yield everything that a campaign causes from ``start`` (milliseconds) on, in order for each person."""
    steps = _STEPS[sent.channel]
    for person in people:
        if sent.audience_share < 1 and random.random() >= sent.audience_share:
            continue
        for subscription in person.subscriptions.get(sent.channel, ()):
            moment = start
            for step in steps:
                for _ in range(_times(random, step, person.activity)):
                    moment += 1 + int(random.random() * step.spread_seconds * 1000)
                    yield Happening(moment, step, person, subscription, sent.message)


def _times(random: Random, step: Step, activity: float) -> int:
    if not step.by_activity:
        return random.random() < step.chance
    expected = min(step.chance * activity, float(step.most))
    whole = int(expected)
    return whole + (random.random() < expected - whole)
