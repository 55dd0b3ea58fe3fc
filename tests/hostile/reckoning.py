"""Decide what was lost, out of order and not as expected in one partition. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.hostile.messages import UNREADABLE, Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tests.hostile.messages import Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Offsets of one hostile thing in its partition: the first, and the one behind the last."""

    topic: str
    partition: int
    first: int
    end: int


@dataclass(slots=True, kw_only=True)
class Seen:
    """What was seen of a stretch: records made of it, reasons of its dead letters, and how far it was committed.

    `holds` are the reasons of the worker's holds when everything else had settled, `told` what it said of them.
    """

    forwarded: int = 0
    letters: list[str] = field(default_factory=list)
    committed: int = 0
    holds: Sequence[str] = ()
    told: Sequence[str] = ()


def lost(written: Sequence[str], accepted: Mapping[str, str]) -> list[str]:
    """Return the ids of good records that were never accepted."""
    return [each for each in written if each not in accepted]


def missing(wanted: int, times: Mapping[str, int], good: Collection[str]) -> int:
    """Return how many of so many hostile messages were not accepted; `times` counts the acceptances of each id."""
    return max(0, wanted - sum(count for message_id, count in times.items() if message_id not in good))


def disordered(written: Sequence[str], accepted: Mapping[str, str]) -> list[str]:
    """Return the ids of good records of one user that were first accepted after a later one."""
    places = {message_id: place for place, message_id in enumerate(written)}
    latest, found = -1, []
    for message_id in accepted:
        place = places.get(message_id)
        if place is None:
            continue
        if place < latest:
            found.append(message_id)
        latest = max(latest, place)
    return found


def faults(expected: Expected, seen: Seen, stretch: Stretch, *, messages: int, is_raw: bool) -> list[str]:
    """Return in what a stretch of so many messages was not as expected. `is_raw`: records are made of it."""
    found: list[str] = []
    if expected.outcome is Outcome.HELD:
        return _hold_faults(expected, seen, stretch)
    if seen.committed < stretch.end:
        found.append(f"offset {seen.committed} is not settled")
    wanted_records = messages if is_raw and expected.outcome is Outcome.DELIVERED else 0
    if seen.forwarded != wanted_records:
        found.append(f"{seen.forwarded} records were made of it, not {wanted_records}")
    wanted_letters = messages if expected.outcome is Outcome.LETTER else 0
    if len(seen.letters) != wanted_letters:
        found.append(f"{len(seen.letters)} dead letters, not {wanted_letters}")
    wrong = sorted(set(seen.letters) - set(expected.reasons))
    if wrong:
        found.append(f"dead letters for {', '.join(wrong)}")
    return found


def _hold_faults(expected: Expected, seen: Seen, stretch: Stretch) -> list[str]:
    found: list[str] = []
    if seen.committed > stretch.first:
        found.append(f"offset {seen.committed} is committed, and {stretch.first} was not read")
    if not set(seen.holds) & set(expected.reasons):
        found.append(f"held for {', '.join(seen.holds) or 'nothing'}")
    if seen.forwarded or seen.letters:
        found.append("something was made of it")
    words = [str(stretch.partition)]
    if expected == UNREADABLE:
        words += [stretch.topic, str(stretch.first)]
    if not is_named(seen.told, words):
        found.append(f"no line names {', '.join(words)}")
    return found


def is_named(told: Iterable[str], words: Iterable[str]) -> bool:
    """Return whether some line has all the words, each by itself."""
    patterns = [re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w-]|\.\d)") for word in words]
    return any("partition" in line and all(pattern.search(line) for pattern in patterns) for line in told)
