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
    """Offsets of one hostile batch in its partition: the first, and the one after the last."""

    topic: str
    partition: int
    first: int
    end: int


@dataclass(slots=True, kw_only=True)
class Seen:
    """What was observed of a stretch: records made of it, reasons of its dead letters, and how far it was committed.

    `holds` are the reasons of the worker's holds when everything else had settled; `texts` are its log and status
    pages.
    """

    forwarded: int = 0
    letters: list[str] = field(default_factory=list)
    committed: int = 0
    holds: Sequence[str] = ()
    texts: Sequence[str] = ()


def lost(written: Sequence[str], accepted: Mapping[str, str]) -> list[str]:
    """Return the ids of good records that were never accepted."""
    return [each for each in written if each not in accepted]


def missing(wanted: int, times: Mapping[str, int], good: Collection[str]) -> int:
    """Return how many of ``wanted`` hostile messages were not accepted; `times` counts the acceptances of each id."""
    return max(0, wanted - sum(count for message_id, count in times.items() if message_id not in good))


def disordered(written: Sequence[str], accepted: Mapping[str, str]) -> list[str]:
    """Return the ids of good records of one user that were first accepted after a later one."""
    ranks = {message_id: rank for rank, message_id in enumerate(written)}
    latest, found = -1, []
    for message_id in accepted:
        rank = ranks.get(message_id)
        if rank is None:
            continue
        if rank < latest:
            found.append(message_id)
        latest = max(latest, rank)
    return found


def faults(expected: Expected, seen: Seen, stretch: Stretch, *, messages: int, is_raw: bool) -> list[str]:
    """Return how a stretch of this many messages deviates from what is expected. `is_raw`: records are made of it."""
    found: list[str] = []
    if expected.outcome is Outcome.HELD:
        return _hold_faults(expected, seen, stretch)
    if seen.committed < stretch.end:
        found.append(f"offset {seen.committed} is not settled")
    wanted_records = messages if is_raw and expected.outcome is Outcome.DELIVERED else 0
    if seen.forwarded != wanted_records:
        found.append(f"{seen.forwarded} records were made of it, expected {wanted_records}")
    wanted_letters = messages if expected.outcome is Outcome.LETTER else 0
    if len(seen.letters) != wanted_letters:
        found.append(f"{len(seen.letters)} dead letters, expected {wanted_letters}")
    wrong = sorted(set(seen.letters) - set(expected.reasons))
    if wrong:
        found.append(f"dead letters for {', '.join(wrong)}")
    return found


def _hold_faults(expected: Expected, seen: Seen, stretch: Stretch) -> list[str]:
    found: list[str] = []
    if seen.committed > stretch.first:
        found.append(f"offset {seen.committed} is committed, but {stretch.first} was not read")
    if not set(seen.holds) & set(expected.reasons):
        found.append(f"held for {', '.join(seen.holds) or 'nothing'}")
    if seen.forwarded or seen.letters:
        found.append("a record or dead letter was made of it")
    words = [str(stretch.partition)]
    if expected == UNREADABLE:
        words += [stretch.topic, str(stretch.first)]
    if not is_named(seen.texts, words):
        found.append(f"no text names {', '.join(words)}")
    return found


def is_named(texts: Iterable[str], words: Iterable[str]) -> bool:
    """Return whether one of the texts contains all words, each as its own word."""
    patterns = [re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w-]|\.\d)") for word in words]
    return any("partition" in text and all(pattern.search(text) for pattern in patterns) for text in texts)
