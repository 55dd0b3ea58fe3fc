"""Estimate distinct users with Theta sketches, if there are more users than are counted exactly.

A sketch with 2**16 hashes estimates a number within 0.8 % (at 95 % confidence). The difference of two sketches has the
same error, as a share of their union. There is one sketch for each day and set of rules; a month is their union.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from hashlib import blake2b
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final

from datasketches import (
    theta_a_not_b,
    theta_intersection,
    theta_union,
    update_theta_sketch,
)

from pipeline.tools.what_if.crowds import Estimate
from pipeline.tools.what_if.groups import BITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.tools.what_if.exact_crowds import ExactCrowd, ExactPeople, ExactReasons

LG_K: Final = 16
"""The size of a sketch as a power of two: half a megabyte at most, and a standard error of 0.39 %."""
_CONFIDENCE: Final = 2
"""Standard deviations: 95 %."""
_HASH_BYTES: Final = 8
_SHARDS: Final = 256


def _new_sketch() -> Any:
    return update_theta_sketch(LG_K)


def _union(sketches: Any) -> Any:
    together = theta_union(LG_K)
    for sketch in sketches:
        together.update(sketch)
    return together.get_result()


def _estimate(sketch: Any) -> Estimate:
    return Estimate(
        round(sketch.get_estimate()),
        floor(sketch.get_lower_bound(_CONFIDENCE)),
        ceil(sketch.get_upper_bound(_CONFIDENCE)),
    )


class Hashes:
    """A set of users as hashes of eight bytes in 256 sorted arrays: ten bytes per user instead of sixty in a `set`."""

    def __init__(self) -> None:
        self._shards = [array("Q") for _ in range(_SHARDS)]

    def __contains__(self, user_key: bytes) -> bool:
        """Return whether a user was added."""
        number, shard = self._find(user_key)
        position = bisect_left(shard, number)
        return position < len(shard) and shard[position] == number

    def add(self, user_key: bytes) -> None:
        """Add a user."""
        number, shard = self._find(user_key)
        position = bisect_left(shard, number)
        if position == len(shard) or shard[position] != number:
            shard.insert(position, number)

    def _find(self, user_key: bytes) -> tuple[int, array[int]]:
        digest = blake2b(user_key, digest_size=_HASH_BYTES).digest()
        return int.from_bytes(digest, "big"), self._shards[digest[0]]


class SketchedCrowd:
    """The users that one set of rules touches, estimated (`pipeline.tools.what_if.crowds.Crowd`)."""

    def __init__(self, *, searchable: bool) -> None:
        self.days: dict[int, defaultdict[int, Any]] = {}
        self.remembered: defaultdict[int, Hashes] | None = defaultdict(Hashes) if searchable else None

    def touch(self, who: str, month: int, day: int) -> None:
        """Add a user to the sketch of the day."""
        days = self.days.get(month)
        if days is None:
            days = self.days[month] = defaultdict(_new_sketch)
        days[day].update(who)
        if self.remembered is not None:
            self.remembered[month].add(who.encode())

    def contains(self, user_key: bytes, month: int) -> bool:
        """Return whether a user was already touched in a month. The answer is stored, not estimated."""
        return self.remembered is not None and user_key in self.remembered[month]

    def size(self, month: int) -> Estimate:
        """Estimate how many users were touched in a month."""
        return _estimate(_union(self.days.get(month, {}).values()))

    def growth(self, month: int) -> list[tuple[int, Estimate]]:
        """Estimate how many users were touched up to the end of each day."""
        together = theta_union(LG_K)
        found = []
        for day, sketch in sorted(self.days.get(month, {}).items()):
            together.update(sketch)
            found.append((day, _estimate(together.get_result())))
        return found

    def ever(self) -> Any:
        """Return a sketch of all users who were touched in any month."""
        return _union(sketch for days in self.days.values() for sketch in days.values())


class SketchedReasons:
    """The groups that touched users, estimated (`pipeline.tools.what_if.crowds.Reasons`)."""

    def __init__(self) -> None:
        self.months: dict[int, defaultdict[int, Any]] = {}

    def touch(self, who: str, month: int, bit: int) -> None:
        """Add a user to the sketch of the group."""
        groups = self.months.get(month)
        if groups is None:
            groups = self.months[month] = defaultdict(_new_sketch)
        groups[bit].update(who)

    def sizes(self) -> dict[int, Estimate]:
        """Estimate the users of each combination: those in all of its groups and in no other group.

        The bounds of the months are added, which is conservative.
        """
        found: dict[int, Estimate] = {}
        for groups in self.months.values():
            for bits, part in _split(_union(groups.values()), sorted(groups.items())):
                estimate, before = _estimate(part), found.get(bits, Estimate(0, 0, 0))
                found[bits] = Estimate(
                    before.value + estimate.value, before.low + estimate.low, before.high + estimate.high
                )
        return found


def _split(part: Any, groups: Sequence[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Split users by the groups that they are in; empty parts are omitted."""
    if part.is_empty() or not part.num_retained:
        return
    if not groups:
        yield 0, part
        return
    (bit, sketch), *others = groups
    inside = theta_intersection()
    inside.update(part)
    inside.update(sketch)
    for bits, found in _split(inside.get_result(), others):
        yield bits | bit, found
    yield from _split(theta_a_not_b().compute(part, sketch), others)


class SketchedPeople:
    """All users, none of them stored (`pipeline.tools.what_if.crowds.People`)."""

    def who(self, user_key: bytes) -> str:
        """Return the user's key as text, which is what a sketch accepts."""
        return user_key.decode()

    def crowd(self, *, searchable: bool) -> SketchedCrowd:
        """Return an empty crowd."""
        return SketchedCrowd(searchable=searchable)

    def reasons(self) -> SketchedReasons:
        """Return empty reasons."""
        return SketchedReasons()

    def only_in(self, first: SketchedCrowd, second: SketchedCrowd) -> Estimate:
        """Estimate how many users were touched by the first crowd and never by the second."""
        return _estimate(theta_a_not_b().compute(first.ever(), second.ever()))


def sketched_crowd(crowd: ExactCrowd, *, searchable: bool) -> SketchedCrowd:
    """Return an exact crowd converted to sketches."""
    sketched = SketchedCrowd(searchable=searchable)
    people = _texts(crowd.people)
    for month, day_of_month, table in crowd.touches():
        who = table.find(day_of_month)
        while who >= 0:
            sketched.touch(people[who], month, month + day_of_month - 1)
            who = table.find(day_of_month, who + 1)
    return sketched


def sketched_reasons(reasons: ExactReasons) -> SketchedReasons:
    """Return exact reasons converted to sketches."""
    sketched = SketchedReasons()
    people = _texts(reasons.people)
    for month, table in reasons.months.items():
        for who, bits in enumerate(table):
            for bit in BITS.values():
                if bits & bit:
                    sketched.touch(people[who], month, bit)
    return sketched


def _texts(people: ExactPeople) -> list[str]:
    return [user_key.decode() for user_key in people.numbers]
