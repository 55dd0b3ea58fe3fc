"""The tracked users of one raw partition, in memory: who was marked in which billing month, and by which message.

Users are keyed hashes of eight bytes, so no id is kept. A dictionary of a million of them takes 117 MB; here a month is
256 tables of numbers, 26 MB for a million. Two users of one partition share a hash with a probability of n² / 2⁶⁵: one
in a million at six million users.
"""

from __future__ import annotations

import sys
from array import array
from datetime import date, timedelta
from enum import Enum, auto
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from pipeline.core.tracking import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.core.billing_month import BillingMonth

EPOCH: Final = date(1970, 1, 1)
SHARDS: Final = 256
"""Parts of a month, by the first byte of the hash."""
MARK_BYTES: Final = 16
_FEWEST_CELLS: Final = 4
_PLACE_OF_0: Final = 2
"""An offset of -1 stands for a message before the log."""
_SHARD_SHIFT: Final = 56
_CELL_BITS: Final = 28
_CELL_SHIFT: Final = _SHARD_SHIFT - _CELL_BITS
_CELL_MASK: Final = 2**_CELL_BITS - 1
_FIRST_MONTH: Final = 0
"""The one that a message without a time would be in, if months began on the first; it would never end."""
_LAST_MONTH: Final = 2**16 - 1
"""A month is named by its first day, in days since 1970, and stored in two bytes: they last until 2149."""
MOST_MONTHS: Final = 3
"""The present one, the one before for messages that are late or come again, and one for a clock that runs ahead."""
_CLOCKS_APART_MS: Final = 86_400_000


class UserHasher:
    """Makes the keyed hash of a user key, the same one as long as the secret is the same."""

    def __init__(self, secret: str) -> None:
        key = blake2b(secret.encode()).digest()
        self._keyed = blake2b(key=key, digest_size=8)
        self.fingerprint = blake2b(b"which secret was it", key=key, digest_size=4).digest()

    def hash_of(self, user_key: bytes) -> int:
        """Return the hash, from 0 to 2⁶⁴ - 1."""
        keyed = self._keyed.copy()
        keyed.update(user_key)
        return int.from_bytes(keyed.digest(), "big")


def packed_mark(user: bytes, offset: int) -> bytes:
    """Put a mark into sixteen bytes: the hash, and the offset plus one."""
    return user + (offset + 1).to_bytes(8, "big")


class MonthOfUsers:
    """The marks of one month.

    A shard is an open hash table with linear probing: a hash and its place side by side, so that a look-up reads one
    or two lines of memory, however many users there are. The place is the offset plus two; 0 is an empty cell. Hashes
    are random already, so the bits behind the shard's say where to look first.
    """

    __slots__ = ("_counts", "_tables")

    def __init__(self) -> None:
        self._tables = [_empty(_FEWEST_CELLS) for _ in range(SHARDS)]
        self._counts = [0] * SHARDS

    def __len__(self) -> int:
        """Count the users."""
        return sum(self._counts)

    def get(self, user: int) -> int | None:
        """Return the offset of a user's first mark."""
        table = self._tables[user >> _SHARD_SHIFT]
        at = ((user >> _CELL_SHIFT & _CELL_MASK) * (len(table) >> 1) >> _CELL_BITS) << 1  # `_cell`, without a call
        while place := table[at + 1]:
            if table[at] == user:
                return place - _PLACE_OF_0
            at += 2
            if at == len(table):
                at = 0
        return None

    def put(self, user: int, offset: int) -> bool:
        """Take a mark in, unless there is an earlier one or the same; tell whether anything changed."""
        shard = user >> _SHARD_SHIFT
        found = _put(self._tables[shard], user, offset + _PLACE_OF_0)
        if found is _Found.NOBODY:
            self._counts[shard] += 1
            self._make_room(shard, 1)
        return found is not _Found.EARLIER

    def load_shard(self, marks: list[bytes]) -> None:
        """Add marks (`packed_mark`), at least one and all of one shard; of each user the earliest counts.

        Half a microsecond a mark.
        """
        shard = marks[0][0]
        self._make_room(shard, len(marks))
        numbers = array("Q", b"".join(marks))
        if sys.byteorder == "little":  # pragma: no branch
            numbers.byteswap()
        table = self._tables[shard]
        found = [
            _put(table, user, place + _PLACE_OF_0 - 1) for user, place in zip(numbers[::2], numbers[1::2], strict=True)
        ]
        self._counts[shard] += found.count(_Found.NOBODY)

    def users(self) -> Iterator[int]:
        """Give the hashes of all users, in order."""
        for table in self._tables:
            yield from sorted(user for user, place in _cells(table) if place)

    def _make_room(self, shard: int, more: int) -> None:
        """Move a shard into a table half as large again, or larger, where more than three quarters would be full."""
        least = (self._counts[shard] + more) * 4 // 3 + 1
        cells = len(self._tables[shard]) // 2
        if cells < least:
            self._tables[shard] = _moved(self._tables[shard], _empty(max(least, cells * 3 // 2)))


class _Found(Enum):
    NOBODY = auto()
    LATER = auto()
    EARLIER = auto()
    """Or the same."""


def _empty(cells: int) -> array[int]:
    return array("Q", bytes(MARK_BYTES * cells))


def _cell(table: array[int], user: int) -> int:
    """Return where to look for a user first, by the bits behind the shard's."""
    return ((user >> _CELL_SHIFT & _CELL_MASK) * (len(table) >> 1) >> _CELL_BITS) << 1


def _cells(table: array[int]) -> Iterator[tuple[int, int]]:
    return zip(table[::2], table[1::2], strict=True)


def _moved(old: array[int], table: array[int]) -> array[int]:
    """Put everybody of a table into a larger one, which is empty, and return that."""
    for user, place in _cells(old):
        if place:
            at = _cell(table, user)
            while table[at + 1]:
                at = (at + 2) % len(table)
            table[at], table[at + 1] = user, place
    return table


def _put(table: array[int], user: int, place: int) -> _Found:
    """Take a mark in, unless there is an earlier one or the same; return what there was. An empty cell must be left."""
    at = _cell(table, user)
    while there := table[at + 1]:
        if table[at] == user:
            if place >= there:
                return _Found.EARLIER
            table[at + 1] = place
            return _Found.LATER
        at += 2
        if at == len(table):
            at = 0
    table[at], table[at + 1] = user, place
    return _Found.NOBODY


class TrackedUsersOfPartition:
    """The marks of one raw partition by month (`pipeline.core.tracking.TrackedUsers`).

    Kept are the newest three months up to now. A mark of another time, as of a message that says it is from the year
    2050, is not remembered, so it cannot push a month out that is needed.
    """

    def __init__(self, hasher: UserHasher, month: BillingMonth) -> None:
        self._hasher = hasher
        self._month = month
        self._months: dict[int, MonthOfUsers] = {}
        self._newest_allowed = -1
        self._last_key = b""
        self._last_hash = hasher.hash_of(b"")

    def advance(self, now_ms: int) -> None:
        """Tell the time, so that the month which begins is remembered. Times up to a day ahead of it are believed."""
        self._newest_allowed = min(self._month.first_day(now_ms + _CLOCKS_APART_MS), _LAST_MONTH)

    def marked_at(self, user_key: bytes, timestamp_ms: int) -> int | None:
        """Return the raw offset that first marked a user in the billing month of a time."""
        users = self._months.get(self._month.first_day(timestamp_ms))
        return None if users is None else users.get(self.hash_of(user_key))

    def mark_of(self, user_key: bytes, timestamp_ms: int, offset: int) -> Mark | None:
        """Return the mark that a message makes of its user, if it is one that is remembered."""
        month = self._month.first_day(timestamp_ms)
        if self.remembers(month):
            return Mark(self.hash_of(user_key), month, offset)
        return None

    def remembers(self, month: int) -> bool:
        """Return whether marks of a month are remembered now."""
        return month in self._months or self._may_begin(month)

    def mark(self, user: int, month: int, offset: int) -> bool:
        """Take a mark in; tell whether it is one that is remembered and was not known."""
        users = self._remembered(month)
        return users is not None and users.put(user, offset)

    def load_shard(self, month: int, marks: list[bytes]) -> None:
        """Add marks of one month and shard (`MonthOfUsers.load_shard`), if the month is remembered."""
        users = self._remembered(month)
        if users is not None:
            users.load_shard(marks)

    def month_of(self, timestamp_ms: int) -> int:
        """Return the first day of the billing month of a time, in days since 1970; it names the month."""
        return self._month.first_day(timestamp_ms)

    def hash_of(self, user_key: bytes) -> int:
        """Return the hash of a user key; that of the last one is at hand, for a mark follows a question."""
        if user_key != self._last_key:
            self._last_key, self._last_hash = user_key, self._hasher.hash_of(user_key)
        return self._last_hash

    def is_tracked(self, user: int, month: int) -> bool:
        """Tell whether a user is tracked in a month, by whatever message."""
        users = self._months.get(month)
        return users is not None and users.get(user) is not None

    def count(self, month: int) -> int:
        """Count the users that are tracked in a month."""
        users = self._months.get(month)
        return 0 if users is None else len(users)

    def counts(self) -> dict[str, int]:
        """Count the tracked users of each month, by its first day."""
        return {str(EPOCH + timedelta(month)): len(users) for month, users in self.months()}

    def months(self) -> list[tuple[int, MonthOfUsers]]:
        """Give the months that are remembered, in order, by their first day in days since 1970."""
        return sorted(self._months.items(), key=lambda item: item[0])

    def _remembered(self, month: int) -> MonthOfUsers | None:
        users = self._months.get(month)
        if users is None and self._may_begin(month):
            if len(self._months) == MOST_MONTHS:
                del self._months[min(self._months)]
            users = self._months[month] = MonthOfUsers()
        return users

    def _may_begin(self, month: int) -> bool:
        if not _FIRST_MONTH < month <= self._newest_allowed:
            return False
        return len(self._months) < MOST_MONTHS or month > min(self._months)
