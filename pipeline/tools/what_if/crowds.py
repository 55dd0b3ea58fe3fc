"""Count distinct users: the face of what counts them exactly and of what estimates, and what both can tell.

A `People` gives each user a token. Crowds take tokens, so the work that is alike for all sets of rules is done once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Who: TypeAlias = Any
"""A user, as `People` told it: a number where users are counted exactly, else a text."""


class Estimate(msgspec.Struct, frozen=True):
    """A number of users, and between which two it is with a confidence of 95 %; all alike where it was counted."""

    value: int
    low: int
    high: int

    @property
    def is_exact(self) -> bool:
        """Whether it was counted."""
        return self.low == self.high


def counted(number: int) -> Estimate:
    """Make an exact number."""
    return Estimate(number, number, number)


class Crowd(Protocol):
    """The users that one set of rules touches, by billing month and day."""

    def touch(self, who: Who, month: int, day: int) -> None:
        """Take down that a user was touched on a day; both in days since 1970-01-01."""

    def contains(self, user_key: bytes, month: int) -> bool:
        """Tell whether a user was touched in a month before. Asked of crowds that were made to be asked."""

    def size(self, month: int) -> Estimate:
        """Return how many users were touched in a month."""

    def growth(self, month: int) -> Sequence[tuple[int, Estimate]]:
        """Return how many users had been touched at the end of each day that has events, since the month began."""


class Reasons(Protocol):
    """By what users were touched: the groups of `pipeline.tools.what_if.groups`, as bits."""

    def touch(self, who: Who, month: int, bit: int) -> None:
        """Take down that a group touched a user in a month."""

    def sizes(self) -> Mapping[int, Estimate]:
        """Return how many users were touched by exactly these groups, each user once a month; no empty ones."""


class People(Protocol):
    """All users that were seen."""

    def who(self, user_key: bytes) -> Who:
        """Return a user's token."""

    def crowd(self, *, asked: bool) -> Crowd:
        """Make a crowd of nobody; one that is `asked` whom it contains remembers everyone."""

    def reasons(self) -> Reasons:
        """Make what takes down by what users were touched."""

    def only_in(self, first: Any, second: Any) -> Estimate:
        """Return how many users the first of two crowds has in any month, and the second in none."""
