"""Read a CSV file of tracked users whole, with every mistake in it."""

from __future__ import annotations

import csv
from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TextIO

from pipeline.core.billing_month import MILLISECONDS_A_DAY
from pipeline.tools.tracked_users.rows import BY_HASH, BY_ID, RowMistakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pipeline.core.billing_month import BillingMonth
    from pipeline.tools.tracked_users.rows import FileUser, RowReader

_NEEDED: Final = {BY_ID: BY_ID[:1], BY_HASH: BY_HASH[:3]}
_TOLD_EVERY_ROWS: Final = 100_000
_LONGEST_LINE: Final = 1_048_576
"""A path may name what never ends, or has no line breaks."""
_MOST_PLACES: Final = 20


class UsersFileError(Exception):
    """The file cannot be used; the text lists every mistake with its line."""


@dataclass(slots=True)
class FileUsers:
    """The users of a file by raw partition and month, eight bytes each; ``over`` counts rows of months long over.

    ``by_key`` tells that users were given the partition of their key, not one that the file tells.
    """

    marks: defaultdict[tuple[int, int], array[int]] = field(default_factory=lambda: defaultdict(lambda: array("Q")))
    over: int = 0
    by_key: bool = False

    def take(self, user: FileUser, oldest_month: int) -> None:
        """Take a user in, unless the month is before the oldest one."""
        if user.month < oldest_month:
            self.over += 1
        else:
            self.marks[user.partition, user.month].append(user.user)

    def name_everybody_once(self) -> None:
        """Leave out what the file says twice."""
        for place, users in self.marks.items():
            self.marks[place] = array("Q", sorted(set(users)))

    def counts(self) -> dict[int, int]:
        """Count the users of each month."""
        found: defaultdict[int, int] = defaultdict(int)
        for (_, month), users in sorted(self.marks.items(), key=lambda item: item[0][1]):
            found[month] += len(users)
        return found


def bounded_lines(file: TextIO) -> Iterator[str]:
    """Return the lines of a file without holding more than one row can have.

    Raises:
        UsersFileError: a line is no row, for its length.
    """
    for number, text in enumerate(iter(lambda: file.readline(_LONGEST_LINE), ""), 1):
        if len(text) == _LONGEST_LINE:
            raise UsersFileError(f"Line {number}: it is longer than {_LONGEST_LINE - 1:,} characters, which no row is.")
        yield text


def read_users(
    file: Iterable[str],
    reader_of: Callable[[tuple[str, ...]], RowReader],
    *,
    oldest_month: int,
    tell: Callable[[int], None] = lambda _: None,
) -> FileUsers:
    """Read the users of a file. `reader_of` gives what reads the rows of `BY_ID` or `BY_HASH`.

    Rows of months before the oldest one are counted and left out; `tell` is told now and then how many were read.

    Raises:
        UsersFileError: with every mistake of the file.
    """
    found, mistakes, count = FileUsers(), _Mistakes(), 0
    rows = _rows(file, mistakes)
    header = next(rows, (1, []))
    columns = _columns(header[1])
    found.by_key = columns == BY_ID
    reader = reader_of(columns)
    for count, (line, row) in enumerate(rows, 1):
        if count % _TOLD_EVERY_ROWS == 0:
            tell(count)
        try:
            user = reader.read(_named(header[1], row))
        except RowMistakeError as error:
            mistakes.add(line, str(error))
        else:
            found.take(user, oldest_month)
    mistakes.check(count)
    found.name_everybody_once()
    return found


def oldest_month_at(now_ms: int, month: BillingMonth) -> int:
    """Return the first day of the oldest month that processors may still need: the one before the present one."""
    return month.first_day(month.first_day(now_ms) * MILLISECONDS_A_DAY - 1)


def _columns(header: list[str]) -> tuple[str, ...]:
    for columns, needed in _NEEDED.items():
        if set(needed) <= set(header) <= set(columns) and len(header) == len(set(header)):
            return columns
    raise UsersFileError(
        "Line 1: the file must begin with the names of its columns: `user_id` or `user_id,month`, or what "
        f"`tracked-users export` writes, `{','.join(BY_HASH)}` (without the last two if need be)."
    )


def _named(header: list[str], row: list[str]) -> Mapping[str, str]:
    if len(row) != len(header):
        raise RowMistakeError(f"there are not {len(header)} columns, as in line 1")
    return dict(zip(header, row, strict=True))


def _rows(file: Iterable[str], mistakes: _Mistakes) -> Iterator[tuple[int, list[str]]]:
    """Give the rows that are not empty, with the last line of each."""
    rows = csv.reader(file, strict=True)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            mistakes.add(rows.line_num, f"this is not CSV: {error}")
            continue
        if row:
            yield rows.line_num, row


class _Mistakes:
    """Every mistake once, with all the lines that have it."""

    def __init__(self) -> None:
        self._lines: dict[str, list[list[int]]] = {}

    def add(self, line: int, text: str) -> None:
        spans = self._lines.setdefault(text, [])
        if spans and spans[-1][1] == line - 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])

    def check(self, rows: int) -> None:
        if self._lines:
            raise UsersFileError("\n".join(f"{_places(spans)}: {text}." for text, spans in self._lines.items()))
        if not rows:
            raise UsersFileError("The file has no users.")


def _places(spans: list[list[int]]) -> str:
    told = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans[:_MOST_PLACES])
    if len(spans) > _MOST_PLACES:
        told += f" and {len(spans) - _MOST_PLACES:,} more places"
    return f"Line {told}" if told.isdigit() else f"Lines {told}"
