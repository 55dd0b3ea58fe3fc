"""Count distinct users exactly: one dictionary for all users, and a byte for each user, month and set of rules.

The byte is the first day of the month on which the user was touched, from 1; 0 means not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.tools.what_if.crowds import Estimate, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOUCHED: Final = bytes([0, *[1] * 255])
_LONGEST_MONTH: Final = 31
_FIRST_SIZE: Final = 1024


class _Table:
    """A byte for each user, by month."""

    def __init__(self, people: ExactPeople) -> None:
        self.people = people
        self.months: dict[int, bytearray] = {}

    def room(self, who: int, month: int) -> bytearray:
        """Return the month's bytes, extended to include a user."""
        table = self.months.setdefault(month, bytearray(_FIRST_SIZE))
        if who >= len(table):
            table.extend(bytes(max(len(table), who + 1 - len(table))))
        return table


class ExactCrowd(_Table):
    """The users that one set of rules touches (`pipeline.tools.what_if.crowds.Crowd`)."""

    def touch(self, who: int, month: int, day: int) -> None:
        """Add a user; the first day counts."""
        table = self.months.get(month)
        if table is None or who >= len(table):
            table = self.room(who, month)
        day_of_month = day - month + 1
        if not 0 < table[who] <= day_of_month:
            table[who] = day_of_month

    def contains(self, user_key: bytes, month: int) -> bool:
        """Return whether a user was already touched in a month."""
        table, who = self.months.get(month), self.people.numbers.get(user_key)
        return table is not None and who is not None and who < len(table) and table[who] > 0

    def size(self, month: int) -> Estimate:
        """Return how many users were touched in a month."""
        table = self.months.get(month, b"")
        return counted(len(table) - table.count(0))

    def growth(self, month: int) -> list[tuple[int, Estimate]]:
        """Return how many users were touched up to the end of each day with new users."""
        table = self.months.get(month, b"")
        total, found = 0, []
        for day_of_month in range(1, _LONGEST_MONTH + 1):
            if new := table.count(day_of_month):
                total += new
                found.append((month + day_of_month - 1, counted(total)))
        return found

    def ever(self) -> int:
        """Return an integer with a byte of 1 for each user who was touched in any month."""
        everyone = 0
        for table in self.months.values():
            everyone |= int.from_bytes(table.translate(_TOUCHED), "little")
        return everyone

    def touches(self) -> Iterator[tuple[int, int, bytearray]]:
        """Yield each month, each of its days from 1, and the table, to convert the crowd to sketches."""
        for month, table in self.months.items():
            for day_of_month in sorted(set(table) - {0}):
                yield month, day_of_month, table


class ExactReasons(_Table):
    """The groups that touched users (`pipeline.tools.what_if.crowds.Reasons`)."""

    def touch(self, who: int, month: int, bit: int) -> None:
        """Set the bit of a group for a user."""
        table = self.months.get(month)
        if table is None or who >= len(table):
            table = self.room(who, month)
        table[who] |= bit

    def sizes(self) -> dict[int, Estimate]:
        """Return the number of users for each combination of bits."""
        found: dict[int, int] = {}
        for table in self.months.values():
            for bits in set(table) - {0}:
                found[bits] = found.get(bits, 0) + table.count(bits)
        return {bits: counted(number) for bits, number in found.items()}


class ExactPeople:
    """All users, numbered in order of appearance (`pipeline.tools.what_if.crowds.People`)."""

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}

    def __len__(self) -> int:
        """Return how many users were seen."""
        return len(self.numbers)

    def who(self, user_key: bytes) -> int:
        """Return a user's number."""
        numbers = self.numbers
        number = numbers.get(user_key)
        if number is None:
            number = numbers[user_key] = len(numbers)
        return number

    def crowd(self, *, searchable: bool) -> ExactCrowd:  # noqa: ARG002 -- all exact crowds are searchable
        """Return an empty crowd."""
        return ExactCrowd(self)

    def reasons(self) -> ExactReasons:
        """Return empty reasons."""
        return ExactReasons(self)

    def only_in(self, first: ExactCrowd, second: ExactCrowd) -> Estimate:
        """Return how many users were touched by the first crowd and never by the second."""
        return counted((first.ever() & ~second.ever()).bit_count())
