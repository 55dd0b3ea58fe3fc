"""Count distinct users in little memory: keep those whose hash is below a bound that falls as more come.

This is the k-minimum-values sketch on which Theta sketches rest. It is written here because the users in it are asked
against the exact table of tracked ones, by the same hash; a library's sketch hashes once more and cannot be asked.
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
"""At least so many users are kept before the bound falls: the standard error is 1 / sqrt(2048), 2.2 %."""


class UserSketch:
    """A sample of all users that were added. Up to 4,096 users it is exact.

    It is a sorted array, 33 KB at the most: there is one for each name, month and partition, and a set takes 450 KB.
    """

    def __init__(self, users: Iterable[int] = (), bound: int = ALL) -> None:
        """Take the users below a bound, as a former sketch had them."""
        self.bound = bound
        self._users = array("Q", sorted(set(users)))
        self._fit()

    def add(self, user: int) -> bool:
        """Add a user by hash; tell whether the sample changed."""
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
        """Estimate how many distinct users were added, of those that count."""
        sample = len(self._users) if counts is None else sum(map(counts, self._users))
        return sample * ALL / self.bound

    def dump(self) -> bytes:
        """Write the sample down: its users as big-endian numbers of eight bytes, ordered."""
        return struct.pack(f">{len(self._users)}Q", *self._users)

    def _fit(self) -> None:
        if len(self._users) > 2 * KEPT:
            self.bound = self._users[KEPT]
            del self._users[KEPT:]
