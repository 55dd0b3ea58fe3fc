"""Read the rows of a file of tracked users: a user by id, or by the hash under which the state stores users.

No error quotes a value, because a value may be a user's id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pipeline.core.billing_month import EPOCH, BillingMonth
from pipeline.core.ids import EMPTY_IDS, EmptyIds
from pipeline.kafka.partitioner import partition_for
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.state.tracked_users import UserHasher

BY_ID: Final = ("user_id", "month")
BY_HASH: Final = ("user_hash", "partition", "month", "partitions", "secret")
"""The last two identify the raw topic and secret of the hashes, so that hashes of others are not imported."""
_HASH: Final = re.compile(r"[0-9a-f]{16}")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_MONTH: Final = re.compile(r"([0-9]{4}-[0-9]{2})(-[0-9]{2})?")


class RowMistakeError(Exception):
    """A row cannot be used; the text has the reason."""


class FileUser(NamedTuple):
    """A user of a file: the hash, the raw partition, and the first day of the month in days since 1970."""

    user: int
    partition: int
    month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Months:
    """Parse months as people write them. ``present`` is the first day of the current month."""

    start_day: int
    present: int
    _known: dict[str, int] = field(default_factory=dict, init=False)

    def number(self, text: str) -> int:
        """Return the first day of a month in days since 1970; of the current month for an empty text.

        Raises:
            RowMistakeError: the text is not a month, or the month has not begun.
        """
        if not text:
            return self.present
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._read(text)
        return found

    def _read(self, text: str) -> int:
        present = date.fromordinal(EPOCH + self.present)
        advice = f"write {present:%Y-%m} or {present}"
        parts = _MONTH.fullmatch(text)
        if parts is None:
            raise RowMistakeError(f"month is not valid: {advice}")
        try:
            day = date.fromisoformat(parts[1] + (parts[2] or f"-{self.start_day:02}"))
        except ValueError:
            raise RowMistakeError(f"month is not valid: {advice}") from None
        if day.day != self.start_day:
            setting = variable("billing_month_start_day")
            raise RowMistakeError(f"month does not begin on day {self.start_day}, the value of {setting}: {advice}")
        number = day.toordinal() - EPOCH
        if number > self.present:
            raise RowMistakeError("month has not begun: import its users when it begins")
        return number


class RowReader(Protocol):
    """Read the rows of a file."""

    def read(self, row: Mapping[str, str]) -> FileUser:
        """Return the user of a row.

        Raises:
            RowMistakeError: the row cannot be used.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class IdRows:
    """Rows with ``user_id``: exactly the userId of events, else their anonymousId."""

    hasher: UserHasher
    partitions: int
    months: Months
    empty_ids: EmptyIds = EMPTY_IDS

    def read(self, row: Mapping[str, str]) -> FileUser:
        """Return the user of a row."""
        user_id = row["user_id"]
        if not user_id:
            raise RowMistakeError("user_id is empty")
        if user_id != user_id.strip() or not user_id.isprintable():
            raise RowMistakeError("user_id has leading or trailing spaces, invisible characters, or is not UTF-8")
        if self.empty_ids.reason(user_id) is not None:
            raise RowMistakeError("user_id is a placeholder like `null` or `anonymous`: events with it are anonymous")
        key = user_id.encode()
        month = self.months.number(row.get("month", ""))
        return FileUser(self.hasher.hash_of(key), partition_for(key, self.partitions), month)


@dataclass(frozen=True, slots=True, kw_only=True)
class HashRows:
    """Rows of an export. The hashes are valid for one secret and one number of partitions."""

    fingerprint: str
    partitions: int
    months: Months

    def read(self, row: Mapping[str, str]) -> FileUser:
        """Return the user of a row."""
        if row.get("secret", self.fingerprint) != self.fingerprint:
            raise RowMistakeError(
                f"user_hash was made with another {variable('tracked_users_secret')}: set that, or import user ids"
            )
        if row.get("partitions", str(self.partitions)) != str(self.partitions):
            raise RowMistakeError(
                f"partition belongs to a raw topic with a number of partitions other than {self.partitions}: "
                "import user ids"
            )
        digits, number = row["user_hash"], row["partition"]
        if _HASH.fullmatch(digits) is None:
            raise RowMistakeError("user_hash is not 16 digits from 0 to f")
        if _NUMBER.fullmatch(number) is None or int(number) >= self.partitions:
            raise RowMistakeError(f"partition does not exist in the raw topic: write 0 to {self.partitions - 1}")
        if not row["month"]:
            raise RowMistakeError("month is empty")
        return FileUser(int(digits, 16), int(number), self.months.number(row["month"]))


def months_at(now_ms: int, month: BillingMonth) -> Months:
    """Return a parser of months, as of a time."""
    return Months(start_day=month.start_day, present=month.first_day(now_ms))


def hash_row(user: int, partition: int, month: int, *, partitions: int, fingerprint: str) -> str:
    """Return a row with a hash, without a line break."""
    first_day = date.fromordinal(EPOCH + month)
    return f"{user:016x},{partition},{first_day},{partitions},{fingerprint}"
