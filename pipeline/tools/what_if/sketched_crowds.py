"""Estimate distinct users with Theta sketches, for more users than are counted exactly.

A sketch of 2**16 entries knows a number within 0.8 % (with a confidence of 95 %), and what is in one sketch and not in
another likewise, as a share of both together. There is one for each day and set of rules; months are their unions.
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

LG_ENTRIES: Final = 16
"""Half a megabyte a sketch at most, and 0.39 % of standard error."""
_CONFIDENCE: Final = 2
"""Standard deviations: 95 %."""
_HASH_BYTES: Final = 8
_SHARDS: Final = 256


def _new_sketch() -> Any:
    return update_theta_sketch(LG_ENTRIES)


def _union(sketches: Any) -> Any:
    together = theta_union(LG_ENTRIES)
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
    """Users by eight bytes of hash, in 256 sorted arrays: ten bytes a user where a set would take sixty."""

    def __init__(self) -> None:
        self._shards = [array("Q") for _ in range(_SHARDS)]

    def __contains__(self, user_key: bytes) -> bool:
        """Tell whether a user is among them."""
        number, shard = self._find(user_key)
        place = bisect_left(shard, number)
        return place < len(shard) and shard[place] == number

    def add(self, user_key: bytes) -> None:
        """Add a user."""
        number, shard = self._find(user_key)
        place = bisect_left(shard, number)
        if place == len(shard) or shard[place] != number:
            shard.insert(place, number)

    def _find(self, user_key: bytes) -> tuple[int, array[int]]:
        digest = blake2b(user_key, digest_size=_HASH_BYTES).digest()
        return int.from_bytes(digest, "big"), self._shards[digest[0]]


class SketchedCrowd:
    """The users that one set of rules touches, estimated (`pipeline.tools.what_if.crowds.Crowd`)."""

    def __init__(self, *, asked: bool) -> None:
        self.days: dict[int, defaultdict[int, Any]] = {}
        self.remembered: defaultdict[int, Hashes] | None = defaultdict(Hashes) if asked else None

    def touch(self, who: str, month: int, day: int) -> None:
        """Take a user into the sketch of the day."""
        days = self.days.get(month)
        if days is None:
            days = self.days[month] = defaultdict(_new_sketch)
        days[day].update(who)
        if self.remembered is not None:
            self.remembered[month].add(who.encode())

    def contains(self, user_key: bytes, month: int) -> bool:
        """Tell whether a user was touched in a month before, which is remembered and no estimate."""
        return self.remembered is not None and user_key in self.remembered[month]

    def size(self, month: int) -> Estimate:
        """Estimate."""
        return _estimate(_union(self.days.get(month, {}).values()))

    def growth(self, month: int) -> list[tuple[int, Estimate]]:
        """Estimate by day."""
        together = theta_union(LG_ENTRIES)
        found = []
        for day, sketch in sorted(self.days.get(month, {}).items()):
            together.update(sketch)
            found.append((day, _estimate(together.get_result())))
        return found

    def ever(self) -> Any:
        """Return a sketch of all users that were touched in any month."""
        return _union(sketch for days in self.days.values() for sketch in days.values())


class SketchedReasons:
    """By what users were touched, estimated (`pipeline.tools.what_if.crowds.Reasons`)."""

    def __init__(self) -> None:
        self.months: dict[int, defaultdict[int, Any]] = {}

    def touch(self, who: str, month: int, bit: int) -> None:
        """Take a user into the sketch of the group."""
        groups = self.months.get(month)
        if groups is None:
            groups = self.months[month] = defaultdict(_new_sketch)
        groups[bit].update(who)

    def sizes(self) -> dict[int, Estimate]:
        """Estimate each combination: who is in all of its groups and in none of the others.

        The bounds of months are added up, which is careful.
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
    """Part users by which groups they are in; empty parts are left out."""
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
    """All users, none of them remembered (`pipeline.tools.what_if.crowds.People`)."""

    def who(self, user_key: bytes) -> str:
        """Return what a sketch takes."""
        return user_key.decode()

    def crowd(self, *, asked: bool) -> SketchedCrowd:
        """Make a crowd of nobody."""
        return SketchedCrowd(asked=asked)

    def reasons(self) -> SketchedReasons:
        """Make what takes down by what users were touched."""
        return SketchedReasons()

    def only_in(self, first: SketchedCrowd, second: SketchedCrowd) -> Estimate:
        """Estimate who was touched by the first and never by the second."""
        return _estimate(theta_a_not_b().compute(first.ever(), second.ever()))


def sketched_crowd(crowd: ExactCrowd, *, asked: bool) -> SketchedCrowd:
    """Go on with sketches where users were counted exactly."""
    sketched = SketchedCrowd(asked=asked)
    people = _texts(crowd.people)
    for month, place, table in crowd.touches():
        who = table.find(place)
        while who >= 0:
            sketched.touch(people[who], month, month + place - 1)
            who = table.find(place, who + 1)
    return sketched


def sketched_reasons(reasons: ExactReasons) -> SketchedReasons:
    """Go on with sketches where users were counted exactly."""
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
