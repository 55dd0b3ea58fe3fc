"""The interfaces for counting distinct users, implemented exactly and by estimation.

A `People` assigns each user a token. Crowds are given tokens, so what is the same for all sets of rules is done once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Who: TypeAlias = Any
"""The token of a user: a number if users are counted exactly, else a text."""


class Estimate(msgspec.Struct, frozen=True):
    """A number of users with its bounds at 95 % confidence; all three are equal if users were counted exactly."""

    value: int
    low: int
    high: int

    @property
    def is_exact(self) -> bool:
        """Whether users were counted exactly."""
        return self.low == self.high


def counted(number: int) -> Estimate:
    """Return an exact number."""
    return Estimate(number, number, number)


class Crowd(Protocol):
    """The users with an event that one set of rules keeps ("touched" users), by billing month and day."""

    def touch(self, who: Who, month: int, day: int) -> None:
        """Add a user who was touched on a day. Month and day are in days since 1970-01-01."""

    def contains(self, user_key: bytes, month: int) -> bool:
        """Return whether a user was already touched in a month. Valid only for searchable crowds."""

    def size(self, month: int) -> Estimate:
        """Return how many users were touched in a month."""

    def growth(self, month: int) -> Sequence[tuple[int, Estimate]]:
        """Return how many users were touched from the start of the month to the end of each day with events."""


class Reasons(Protocol):
    """The groups of `pipeline.tools.what_if.groups` that touched users, as bits."""

    def touch(self, who: Who, month: int, bit: int) -> None:
        """Add a group that touched a user in a month."""

    def sizes(self) -> Mapping[int, Estimate]:
        """Return how many users were touched by exactly these groups, each user once a month, without zeros."""


class People(Protocol):
    """All users in the traffic."""

    def who(self, user_key: bytes) -> Who:
        """Return a user's token."""

    def crowd(self, *, searchable: bool) -> Crowd:
        """Return an empty crowd. A `searchable` one stores every user, so that `contains` is exact."""

    def reasons(self) -> Reasons:
        """Return empty reasons."""

    def only_in(self, first: Any, second: Any) -> Estimate:
        """Return how many users are in the first crowd in any month, and in the second crowd in none."""
