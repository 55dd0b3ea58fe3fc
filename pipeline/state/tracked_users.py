"""The tracked users of one raw partition, in memory: the billing months of each user, and the first message of each.

Users are keyed hashes of eight bytes, so no id is kept. A dictionary of a million of them takes 117 MB; here a month is
a few hundred sorted byte strings, 20 MB for a million, and a new mark moves a kilobyte. Two users of one partition
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
"""Shards of a new month, by the first byte of the hash."""
MARK_BYTES: Final = 16
_SHARD_SHIFT: Final = 56
MOST_IN_SHARD: Final = 64
_LEAST_SHIFT: Final = 51
"""At most 8,192 shards: splitting all of them at once takes ten milliseconds."""
_FIRST_MONTH: Final = 0
"""The month of a message without a timestamp, if months start on the first. It is never remembered."""
_LAST_MONTH: Final = 2**16 - 1
"""A month is named by its first day, in days since 1970, in two bytes; they suffice until 2149."""
MOST_MONTHS: Final = 3
"""This month, the previous one for late and redelivered messages, and one for a clock that runs ahead."""
_CLOCKS_APART_MS: Final = 86_400_000


class UserHasher:
    """Hashes user keys with a secret; the same secret gives the same hashes."""

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
    """Return a mark in sixteen bytes: the hash, and the offset plus one, so that byte order is number order."""
    return user + (offset + 1).to_bytes(8, "big")


class MonthOfUsers:
    """The marks of one month, in shards by the first bits of the hash.

    A shard is a byte string of sorted marks (`packed_mark`). A look-up searches it for the bytes of a hash, which reads
    memory in order. A new mark replaces the whole string. When one shard becomes long, all shards are split in
    two. The garbage collector does not follow byte strings, unlike thousands of lists or arrays.
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
        at = shard.find(wanted)  # runs for each event, and this line nearly always suffices
        if at % MARK_BYTES:
            at = _find(shard, wanted)
        return None if at < 0 else int.from_bytes(shard[at + 8 : at + 16], "big") - 1

    def put(self, user: int, offset: int) -> bool:
        """Add a mark unless there is an earlier one or the same; return whether anything changed."""
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
        """Add marks (`packed_mark`), at least one, all with the same first byte. The earliest mark of a user counts.

        Takes half a microsecond for each mark, and modifies the list.
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
        """Return the hashes of all users, in order."""
        for shard in self._shards:
            yield from _hashes(shard)

    def _cut(self) -> None:
        """Split every shard in two, up to a limit. Hashes are random, so all shards have about the same length."""
        if self._shift <= _LEAST_SHIFT:
            return
        self._shift -= 1
        halves: list[bytes] = []
        for number, shard in enumerate(self._shards):
            middle = MARK_BYTES * bisect_left(_hashes(shard), 2 * number + 1 << self._shift)
            halves += (shard[:middle], shard[middle:])
        self._shards = halves


def _find(shard: bytes, user: bytes) -> int:
    """Return the index of a user's mark; -1 without one."""
    at = shard.find(user)
    while at % MARK_BYTES and at > 0:  # these bytes are an offset, or parts of a hash and an offset
        at = shard.find(user, at + 1)
    return at


def _hashes(marks: bytes) -> array[int]:
    """Return the hashes of a run of marks."""
    numbers = array("Q", marks)[::2]
    if byteorder == "little":  # pragma: no branch
        numbers.byteswap()
    return numbers


def _earliest(marks: list[bytes]) -> bytes:
    """Sort marks, keep the first of each user, and return them as one byte string."""
    marks.sort()
    found = b"".join(marks)
    if any(one == other for one, other in pairwise(_hashes(found))):
        earliest = {mark[:8]: mark for mark in reversed(marks)}
        found = b"".join(reversed(earliest.values()))
    return found


class TrackedUsersOfPartition:
    """The marks of one raw partition by month (`pipeline.core.tracking.TrackedUsers`).

    The newest three months up to now are kept. A mark of any other time, such as that of a message dated 2050, is not
    remembered, so it cannot displace a month that is needed.
    """

    def __init__(self, hasher: UserHasher, month: BillingMonth) -> None:
        self._hasher = hasher
        self._month = month
        self._months: dict[int, MonthOfUsers] = {}
        self._newest_allowed = -1
        self._last_key = b""
        self._last_hash = hasher.hash_of(b"")

    def advance(self, now_ms: int) -> None:
        """Set the present time, so that a new month is remembered. Times up to a day ahead are accepted."""
        self._newest_allowed = min(self._month.first_day(now_ms + _CLOCKS_APART_MS), _LAST_MONTH)

    def marked_at(self, user_key: bytes, timestamp_ms: int) -> int | None:
        """Return the raw offset that first marked a user in the billing month of a time."""
        users = self._months.get(self._month.first_day(timestamp_ms))
        return None if users is None else users.get(self.hash_of(user_key))

    def mark_of(self, user_key: bytes, timestamp_ms: int, offset: int) -> Mark | None:
        """Return the mark of a message's user; None if its month is not remembered."""
        month = self._month.first_day(timestamp_ms)
        if self.remembers(month):
            return Mark(self.hash_of(user_key), month, offset)
        return None

    def remembers(self, month: int) -> bool:
        """Return whether marks of a month are remembered now."""
        return month in self._months or self._may_begin(month)

    def mark(self, user: int, month: int, offset: int) -> bool:
        """Add a mark; return whether its month is remembered and the mark was not known."""
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
        """Return the hash of a user key. The last one is cached, because a mark follows a look-up of the same user."""
        if user_key != self._last_key:
            self._last_key, self._last_hash = user_key, self._hasher.hash_of(user_key)
        return self._last_hash

    def is_tracked(self, user: int, month: int) -> bool:
        """Return whether a user is tracked in a month, whatever message marked it."""
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
        """Return the remembered months in order, each with its first day in days since 1970."""
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
