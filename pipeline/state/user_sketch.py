"""Count distinct users in little memory: keep those whose hash is below a bound that falls as users are added.

This is the k-minimum-values sketch, the basis of Theta sketches. We have our own because its users are looked up by the
same hash in the exact table of tracked users. The sketch of a library hashes again, which makes that impossible.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ALL: Final = 2**64
KEPT: Final = 2_048
"""At least this many users are kept before the bound falls. The standard error is 1 / sqrt(2048), 2.2 %."""


class UserSketch:
    """A sample of all users that were added. It is exact up to 4,096 users.

    It is a sorted array of at most 33 KB; a set would take 450 KB. There is one for each name, month and partition.
    """

    def __init__(self, users: Iterable[int] = (), bound: int = ALL) -> None:
        """Start with the users of a stored sketch, all below its bound."""
        self.bound = bound
        self._users = array("Q", sorted(set(users)))
        self._fit()

    def add(self, user: int) -> bool:
        """Add a user by hash; return whether the sample changed."""
        if user >= self.bound:
            return False
        users = self._users
        at = bisect_left(users, user)
        if at < len(users) and users[at] == user:
            return False
        users.insert(at, user)
        self._fit()
        return True

    def merge(self, other: UserSketch) -> None:
        """Add all users of another sketch."""
        self.bound = min(self.bound, other.bound)
        both = sorted({*self._users, *other._users})
        self._users = array("Q", both[: bisect_left(both, self.bound)])
        self._fit()

    def estimate(self, counts: Callable[[int], bool] | None = None) -> float:
        """Estimate how many distinct users were added; with `counts`, only those for whose hash it returns true."""
        sample = len(self._users) if counts is None else sum(map(counts, self._users))
        return sample * ALL / self.bound

    def dump(self) -> bytes:
        """Return the users of the sample as big-endian numbers of eight bytes, in order."""
        return struct.pack(f">{len(self._users)}Q", *self._users)

    def _fit(self) -> None:
        if len(self._users) > 2 * KEPT:
            self.bound = self._users[KEPT]
            del self._users[KEPT:]
