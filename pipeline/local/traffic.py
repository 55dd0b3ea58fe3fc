"""The traffic generator: messages as a OneSignal app with many users writes them to the raw topic, fixed by a seed.

Campaigns are sent one after another, most of them to everyone. Their effects overlap, and a few people do most of the
clicking. Each message carries its expected outcome (`pipeline.local.traffic_truth`).
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from operator import itemgetter
from random import Random
from typing import TYPE_CHECKING, Final

from pipeline.local import traffic_oddities as oddities
from pipeline.local.traffic_bodies import SHAPES, Fact
from pipeline.local.traffic_campaigns import BLANK_MESSAGE, Happening, campaign, happenings
from pipeline.local.traffic_population import identifier, population, population_size
from pipeline.local.traffic_truth import Sort, TrafficMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LARGEST_MESSAGE_BYTES: Final = 1_400
"""The largest generated event; garbage may be larger. A test checks the limit."""

_START_MILLISECONDS: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z, a fixed date so that the seed fixes every byte
_EVENTS_OF_ENDLESS_TRAFFIC: Final = 250_000  # 10,000 people
_CAMPAIGN_INTERVAL_MILLISECONDS: Final = 15 * 60 * 1_000
_REMEMBERED_FOR_REPEATS: Final = 400

_ODDITIES: Final[Mapping[Callable[[Random, TrafficMessage, Fact], TrafficMessage], float]] = {
    oddities.tombstone: 0.003,
    oddities.garbage: 0.008,
    oddities.unknown_kind: 0.003,
    oddities.without_user: 0.002,
}
_REPEATED: Final = 0.012
_ODD: Final = _REPEATED + sum(_ODDITIES.values())

_WITHOUT_EVENT_ID: Final = 0.003
_BLANK_MESSAGE: Final = 0.015
_OLD_SPELLING: Final = 0.15
_QUOTED_TIMESTAMP: Final = 0.03
_MILLISECOND_TIMESTAMP: Final = 0.01

_OLD_SPELLINGS: Final[Mapping[str, str]] = {
    "message.push.received": "message.push received",
    "message.iam.impression": "message.iam.displayed",
    "message.iam.page_displayed": "message.iam.pagedisplayed",
    "message.email.reported_as_spam": "message.email.resporedasspam",
    "message.email.bounced": "message.email.hardbounced",
    "message.email.suppressed": "message.email.supressed",
}
_SHAPE_BY_PERCENT: Final = [shape for shape, percent in SHAPES.items() for _ in range(percent)]


def traffic(*, seed: int, events: int | None, now_ms: Callable[[], int] | None = None) -> Iterator[TrafficMessage]:
    """Yield ``events`` messages, keyed by user and in order for each user.

    The same seed and number of events give the same bytes. Without ``events`` the traffic is endless. With ``now_ms``
    (milliseconds since the epoch) each event happens when it is generated; without it, on a fixed day of 2026.
    """
    random = Random(seed)
    people = population_size(_EVENTS_OF_ENDLESS_TRAFFIC if events is None else events)
    return islice(_with_oddities(random, people, now_ms), events)


def _with_oddities(random: Random, people: int, now_ms: Callable[[], int] | None) -> Iterator[TrafficMessage]:
    recent: deque[TrafficMessage] = deque(maxlen=_REMEMBERED_FOR_REPEATS)
    for planned in _all_happenings(random, people):
        happening = planned if now_ms is None else planned._replace(milliseconds=now_ms())
        fact = _fact(random, happening)
        message = _message(random, fact, happening)
        if random.random() < _ODD:
            yield _odd(random, message, fact, recent)
        recent.append(message)
        yield message


def _all_happenings(random: Random, size: int) -> Iterator[Happening]:
    people = population(random, size)
    start = _START_MILLISECONDS
    pending: list[Happening] = []
    number = 0
    while True:
        number += 1
        pending.extend(happenings(random, campaign(random, number), people, start))
        pending.sort(key=itemgetter(0))
        start += _CAMPAIGN_INTERVAL_MILLISECONDS
        due = next((index for index, each in enumerate(pending) if each.milliseconds >= start), len(pending))
        yield from pending[:due]
        del pending[:due]


def _fact(random: Random, happening: Happening) -> Fact:
    milliseconds, step, person, subscription, message = happening
    kind = step.kind
    chance = random.random()
    if chance < _OLD_SPELLING:
        kind = _OLD_SPELLINGS.get(kind, kind)
    seconds = milliseconds // 1000
    timestamp: int | str = seconds
    if chance > 1 - _QUOTED_TIMESTAMP:
        timestamp = str(seconds)
    elif chance > 1 - _QUOTED_TIMESTAMP - _MILLISECOND_TIMESTAMP:
        timestamp = milliseconds
    other = random.random()
    return Fact(
        kind,
        "" if other < _WITHOUT_EVENT_ID else identifier(random),
        milliseconds,
        timestamp,
        person,
        subscription,
        BLANK_MESSAGE if other > 1 - _BLANK_MESSAGE else message,
        step.details,
    )


def _message(random: Random, fact: Fact, happening: Happening) -> TrafficMessage:
    person = fact.person
    named = person.external_id if person.has_billable_id() else None
    user = named or fact.subscription.id
    shape = _SHAPE_BY_PERCENT[int(random.random() * 100)]
    return TrafficMessage(user.encode(), shape(fact), Sort.EVENT, happening.step.kind, user, fact.event_id or None)


def _odd(random: Random, message: TrafficMessage, fact: Fact, recent: deque[TrafficMessage]) -> TrafficMessage:
    chance = random.random() * _ODD
    for oddity, share in _ODDITIES.items():
        if chance < share:
            return oddity(random, message, fact)
        chance -= share
    return random.choice(recent) if recent else oddities.tombstone(random, message, fact)
