"""Count distinct users exactly: one dictionary for all of them, and a byte for each user, month and set of rules.

The byte is the place in the month of the first day that touched the user, from 1; 0 is not touched.
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
        """Return the month's bytes, with a place for a user."""
        table = self.months.setdefault(month, bytearray(_FIRST_SIZE))
        if who >= len(table):
            table.extend(bytes(max(len(table), who + 1 - len(table))))
        return table


class ExactCrowd(_Table):
    """The users that one set of rules touches (`pipeline.tools.what_if.crowds.Crowd`)."""

    def touch(self, who: int, month: int, day: int) -> None:
        """Keep the first day."""
        table = self.months.get(month)
        if table is None or who >= len(table):
            table = self.room(who, month)
        place = day - month + 1
        if not 0 < table[who] <= place:
            table[who] = place

    def contains(self, user_key: bytes, month: int) -> bool:
        """Tell whether a user was touched in a month before."""
        table, who = self.months.get(month), self.people.numbers.get(user_key)
        return table is not None and who is not None and who < len(table) and table[who] > 0

    def size(self, month: int) -> Estimate:
        """Count."""
        table = self.months.get(month, b"")
        return counted(len(table) - table.count(0))

    def growth(self, month: int) -> list[tuple[int, Estimate]]:
        """Count by day."""
        table = self.months.get(month, b"")
        there, found = 0, []
        for place in range(1, _LONGEST_MONTH + 1):
            if new := table.count(place):
                there += new
                found.append((month + place - 1, counted(there)))
        return found

    def ever(self) -> int:
        """Return a number with a byte of 1 for each user that was touched in any month."""
        everyone = 0
        for table in self.months.values():
            everyone |= int.from_bytes(table.translate(_TOUCHED), "little")
        return everyone

    def touches(self) -> Iterator[tuple[int, int, bytearray]]:
        """Give each month, each of its days from 1, and the table; for what goes on in another way."""
        for month, table in self.months.items():
            for place in sorted(set(table) - {0}):
                yield month, place, table


class ExactReasons(_Table):
    """By what users were touched (`pipeline.tools.what_if.crowds.Reasons`)."""

    def touch(self, who: int, month: int, bit: int) -> None:
        """Set the bit."""
        table = self.months.get(month)
        if table is None or who >= len(table):
            table = self.room(who, month)
        table[who] |= bit

    def sizes(self) -> dict[int, Estimate]:
        """Count by the bits that are set."""
        found: dict[int, int] = {}
        for table in self.months.values():
            for bits in set(table) - {0}:
                found[bits] = found.get(bits, 0) + table.count(bits)
        return {bits: counted(number) for bits, number in found.items()}


class ExactPeople:
    """All users, numbered as they come (`pipeline.tools.what_if.crowds.People`)."""

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

    def crowd(self, *, asked: bool) -> ExactCrowd:  # noqa: ARG002 -- all exact crowds can be asked
        """Make a crowd of nobody."""
        return ExactCrowd(self)

    def reasons(self) -> ExactReasons:
        """Make what takes down by what users were touched."""
        return ExactReasons(self)

    def only_in(self, first: ExactCrowd, second: ExactCrowd) -> Estimate:
        """Count who was touched by the first and never by the second."""
        return counted((first.ever() & ~second.ever()).bit_count())
