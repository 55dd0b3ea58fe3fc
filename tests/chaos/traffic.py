"""The traffic: generated events with poison messages in between. Each message carries its expected outcome."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from pipeline.core.classification import Destination
from pipeline.core.message_ids import content_id
from pipeline.local.traffic import traffic
from pipeline.local.traffic_truth import TRACKED_ONLY, Fate, Fates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PRESET: Final = TRACKED_ONLY
_POISONED: Final = 0.004
_LARGE_EVENTS: Final = 3  # of each kind that is about a megabyte large: a few are enough, and save disk space
_MEGABYTE: Final = 1_000_000
_DEPTH: Final = 10_000
_POISON_USERS: Final = 20


class Written(NamedTuple):
    """One raw message, with its fate at each destination; ``name`` is set if it is a poison message.

    ``message_id`` is the id of its record where it is forwarded.
    """

    key: bytes | None
    value: bytes | None
    fates: Mapping[Destination, Fate]
    message_id: str
    user: str
    name: str = ""


def chaos_traffic(*, seed: int, events: int, destinations: Sequence[Destination]) -> Iterator[Written]:
    """Generate the given number of messages, the same ones for the same seed and number."""
    random = Random(seed)
    numbers = count()
    left = dict.fromkeys(LARGE, _LARGE_EVENTS)
    fates = {each: Fates(each.value, PRESET) for each in destinations}
    for message in traffic(seed=seed, events=events):
        if random.random() < _POISONED:
            name = random.choice(tuple(POISON))
            if left.get(name, 1) > 0:
                left[name] = left.get(name, 1) - (name in LARGE)
                user = f"p-{random.randrange(_POISON_USERS)}"
                yield poison(name, number=next(numbers), user=user, destinations=destinations)
                continue
        message_id = message.message_id or content_id(message.value or b"")
        outcomes = {each: of_destination.of(message) for each, of_destination in fates.items()}
        yield Written(message.key, message.value, outcomes, message_id, message.user)


def poison(name: str, *, number: int, user: str, destinations: Sequence[Destination]) -> Written:
    """Build one poison message of a user."""
    make, outcome = POISON[name]
    message_id = f"poison-{number:08d}"
    value = make(_click(message_id, user))
    outcomes = {each: _ELSEWHERE.get((name, each), outcome) for each in destinations}
    return Written(user.encode(), value, outcomes, message_id, user, name)


def _click(message_id: str, user: str) -> bytes:
    return orjson.dumps(
        {
            "event": {
                "kind": "message.push.clicked",
                "id": message_id,
                "timestamp": 1_767_225_600,
                "external_id": user,
                "subscription_id": f"s-{user}",
            },
            "message": {"id": "m-1", "name": "NAME", "contents": "TEXT", "url": "URL"},
        }
    )


def _named(text: bytes) -> Callable[[bytes], bytes]:
    return lambda click: click.replace(b"NAME", text)


POISON: Final[Mapping[str, tuple[Callable[[bytes], bytes], Fate]]] = {
    "garbage bytes": (lambda click: bytes(255 - byte for byte in click), Fate.REJECTED),
    "a megabyte of garbage": (lambda _: b"x" * _MEGABYTE, Fate.REJECTED),
    "a megabyte of contents": (lambda click: click.replace(b"TEXT", b"y" * _MEGABYTE), Fate.FORWARDED),
    "a megabyte of name": (_named(b"n" * _MEGABYTE), Fate.REJECTED),
    "a megabyte in an unknown field": (lambda click: click[:-1] + b',"z":"' + b"z" * _MEGABYTE + b'"}', Fate.FORWARDED),
    "10,000 levels deep": (lambda _: b'{"event":' * _DEPTH + b"1" + b"}" * _DEPTH, Fate.REJECTED),
    "10,000 levels deep inside": (
        lambda click: click[:-1] + b',"z":' + b"[" * _DEPTH + b"]" * _DEPTH + b"}",
        Fate.REJECTED,
    ),
    "duplicate keys": (lambda click: click.replace(b'"id":"poison', b'"id":"first","id":"poison', 1), Fate.FORWARDED),
    "lone surrogates": (_named(rb"\ud800 \udfff"), Fate.FORWARDED),
    "a number beyond 64 bits": (lambda click: click.replace(b"1767225600", b"9" * 40), Fate.FORWARDED),
    "a float beyond its range": (lambda click: click.replace(b"1767225600", b"1" + b"0" * 30), Fate.FORWARDED),
    "text for a slow expression": (_named((b"a" * 30 + b"@") * 600 + b"!"), Fate.FORWARDED),
    "an address for a slow expression": (
        lambda click: click.replace(b"URL", b"https://x/" + b"%" * 20_000 + b"@" * 2_000),
        Fate.FORWARDED,
    ),
}
_ELSEWHERE: Final[Mapping[tuple[str, Destination], Fate]] = {
    ("a megabyte of name", Destination.MIXPANEL): Fate.FORWARDED,  # its texts are cut
}
"""Where the fate at a destination is another one."""
LARGE: Final = tuple(name for name in POISON if "megabyte" in name)
