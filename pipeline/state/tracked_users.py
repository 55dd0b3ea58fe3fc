"""The tracked users of one raw partition, in memory: who was marked in which billing month, and by which message.

Users are keyed hashes of eight bytes, so no id is kept. A dictionary of a million of them takes 117 MB; here a month is
some hundred sorted strings of bytes, 20 MB for a million, and a new mark moves a kilobyte. Two users of one partition
share a hash with a probability of n² / 2⁶⁵: one in a million at six million users.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from datetime import date, timedelta
from hashlib import blake2b
from itertools import pairwise
from sys import byteorder
from typing import TYPE_CHECKING, Final

from pipeline.core.tracking import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.core.billing_month import BillingMonth

EPOCH: Final = date(1970, 1, 1)
SHARDS: Final = 256
"""Parts of a month at first, by the first byte of the hash."""
MARK_BYTES: Final = 16
_SHARD_SHIFT: Final = 56
MOST_IN_SHARD: Final = 64
_LEAST_SHIFT: Final = 51
"""8,192 shards at most: to cut them takes ten milliseconds, all of them at once."""
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
    """Put a mark into sixteen bytes: the hash, and the offset plus one, so that byte order is number order."""
    return user + (offset + 1).to_bytes(8, "big")


class MonthOfUsers:
    """The marks of one month, in shards by the first bits of the hash.

    A shard is a string of bytes: its marks (`packed_mark`), sorted. A question looks for the bytes of a hash in it,
    which touches memory in order; a new mark makes it anew. When a shard becomes long all are cut in two. The garbage
    collector has nothing to do with bytes, as it would have with thousands of lists or arrays.
    """

    __slots__ = ("_shards", "_shift")

    def __init__(self) -> None:
        self._shards = [b""] * SHARDS
        self._shift = _SHARD_SHIFT

    def __len__(self) -> int:
        """Count the users."""
        return sum(map(len, self._shards)) // MARK_BYTES

    def get(self, user: int) -> int | None:
        """Return the offset of a user's first mark."""
        shard, wanted = self._shards[user >> self._shift], user.to_bytes(8, "big")
        at = shard.find(wanted)  # asked for each event: it nearly always ends here, without one more call
        if at % MARK_BYTES:
            at = _find(shard, wanted)
        return None if at < 0 else int.from_bytes(shard[at + 8 : at + 16], "big") - 1

    def put(self, user: int, offset: int) -> bool:
        """Take a mark in, unless there is an earlier one or the same; tell whether anything changed."""
        number = user >> self._shift
        shard, wanted = self._shards[number], user.to_bytes(8, "big")
        mark, at = packed_mark(wanted, offset), _find(shard, wanted)
        if at < 0:
            at = MARK_BYTES * bisect_left(_hashes(shard), user)
            self._shards[number] = shard[:at] + mark + shard[at:]
            if len(shard) >= MARK_BYTES * MOST_IN_SHARD:
                self._cut()
        elif mark < shard[at : at + MARK_BYTES]:
            self._shards[number] = shard[:at] + mark + shard[at + MARK_BYTES :]
        else:
            return False
        return True

    def load_shard(self, marks: list[bytes]) -> None:
        """Add marks (`packed_mark`), at least one and all with the same first byte; of each user the earliest counts.

        Half a microsecond a mark. The list is used up.
        """
        while len(marks) > MOST_IN_SHARD << (_SHARD_SHIFT - self._shift) and self._shift > _LEAST_SHIFT:
            self._cut()
        parts = 1 << (_SHARD_SHIFT - self._shift)
        first = marks[0][0] * parts
        for shard in self._shards[first : first + parts]:
            marks += [shard[at : at + MARK_BYTES] for at in range(0, len(shard), MARK_BYTES)]
        found = _earliest(marks)
        hashes, start = _hashes(found), 0
        for number in range(first, first + parts):
            end = bisect_left(hashes, number + 1 << self._shift, start)
            self._shards[number] = found[start * MARK_BYTES : end * MARK_BYTES]
            start = end

    def users(self) -> Iterator[int]:
        """Give the hashes of all users, in order."""
        for shard in self._shards:
            yield from _hashes(shard)

    def _cut(self) -> None:
        """Cut every shard in two, unless there are many; they have about the same length, for hashes are random."""
        if self._shift <= _LEAST_SHIFT:
            return
        self._shift -= 1
        halves: list[bytes] = []
        for number, shard in enumerate(self._shards):
            middle = MARK_BYTES * bisect_left(_hashes(shard), 2 * number + 1 << self._shift)
            halves += (shard[:middle], shard[middle:])
        self._shards = halves


def _find(shard: bytes, user: bytes) -> int:
    """Return where the mark of a user begins; -1 where there is none."""
    at = shard.find(user)
    while at % MARK_BYTES and at > 0:  # these bytes are a place, or parts of a hash and a place
        at = shard.find(user, at + 1)
    return at


def _hashes(marks: bytes) -> array[int]:
    """Return the hashes of marks that follow one another."""
    numbers = array("Q", marks)[::2]
    if byteorder == "little":  # pragma: no branch
        numbers.byteswap()
    return numbers


def _earliest(marks: list[bytes]) -> bytes:
    """Sort marks, and leave the first of each user; return them one after the other."""
    marks.sort()
    found = b"".join(marks)
    if any(one == other for one, other in pairwise(_hashes(found))):
        earliest = {mark[:8]: mark for mark in reversed(marks)}
        found = b"".join(reversed(earliest.values()))
    return found


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
