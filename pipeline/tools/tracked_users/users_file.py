"""Read a whole CSV file of tracked users, and list every mistake in it."""

from __future__ import annotations

import csv
from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pipeline.core.billing_month import MILLISECONDS_A_DAY
from pipeline.core.mistakes import MOST_LISTED
from pipeline.tools.tracked_users.rows import BY_HASH, BY_ID, RowMistakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TextIO

    from pipeline.core.billing_month import BillingMonth
    from pipeline.tools.tracked_users.rows import FileUser, RowReader

MOST_LINE_CHARACTERS: Final = 1_048_576
"""Far more than a user can have: such a file has other content, and may be endless."""
_NEEDED: Final = {BY_ID: BY_ID[:1], BY_HASH: BY_HASH[:3]}
_ROWS_PER_REPORT: Final = 100_000


class UsersFileError(Exception):
    """The file cannot be used; the text lists every mistake with its lines."""


@dataclass(slots=True)
class FileUsers:
    """The users of a file by raw partition and month, eight bytes each; ``over`` counts rows of expired months.

    ``by_key``: the partition of each user is that of their key, not one from the file.
    """

    marks: defaultdict[tuple[int, int], array[int]] = field(default_factory=lambda: defaultdict(lambda: array("Q")))
    over: int = 0
    by_key: bool = False

    def add(self, user: FileUser, oldest_month: int) -> None:
        """Add a user, or only count the row if its month is before the oldest one."""
        if user.month < oldest_month:
            self.over += 1
        else:
            self.marks[user.partition, user.month].append(user.user)

    def remove_duplicates(self) -> None:
        """Remove users that the file has more than once."""
        for key, users in self.marks.items():
            self.marks[key] = array("Q", sorted(set(users)))

    def counts(self) -> dict[int, int]:
        """Return the number of users of each month."""
        found: defaultdict[int, int] = defaultdict(int)
        for (_, month), users in sorted(self.marks.items(), key=lambda item: item[0][1]):
            found[month] += len(users)
        return found


def read_users(
    file: Iterable[str],
    reader_of: Callable[[tuple[str, ...]], RowReader],
    *,
    oldest_month: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> FileUsers:
    """Read the users of a file. `reader_of` returns the reader of rows with the columns `BY_ID` or `BY_HASH`.

    Rows of months before the oldest one are counted and skipped. `on_progress` is called at intervals with the number
    of rows read.

    Raises:
        UsersFileError: the file has mistakes; the text lists all of them.
    """
    found, mistakes, count = FileUsers(), _Mistakes(), 0
    rows = _rows(file, mistakes)
    header = next(rows, (1, []))
    columns = _columns(header[1])
    found.by_key = columns == BY_ID
    reader = reader_of(columns)
    for count, (line, row) in enumerate(rows, 1):
        if count % _ROWS_PER_REPORT == 0:
            on_progress(count)
        try:
            user = reader.read(_named(header[1], row))
        except RowMistakeError as error:
            mistakes.add(line, str(error))
        else:
            found.add(user, oldest_month)
    mistakes.check(count)
    found.remove_duplicates()
    return found


def bounded_lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file.

    Raises:
        UsersFileError: a line is longer than any user needs, or the file can no longer be read.
    """
    lines = 0
    while line := _next_line(file, lines):
        lines += 1
        if len(line) > MOST_LINE_CHARACTERS:
            raise UsersFileError(f"Line {lines}: it has more than {MOST_LINE_CHARACTERS:,} characters.")
        yield line


def _next_line(file: TextIO, lines: int) -> str:
    try:
        return file.readline(MOST_LINE_CHARACTERS + 1)
    except OSError as error:
        raise UsersFileError(f"Line {lines + 1}: it cannot be read: {error.strerror}.") from error


def oldest_month_at(now_ms: int, month: BillingMonth) -> int:
    """Return the first day of the oldest month that processors may still need, which is the previous month."""
    return month.first_day(month.first_day(now_ms) * MILLISECONDS_A_DAY - 1)


def _columns(header: list[str]) -> tuple[str, ...]:
    for columns, needed in _NEEDED.items():
        if set(needed) <= set(header) <= set(columns) and len(header) == len(set(header)):
            return columns
    raise UsersFileError(
        "Line 1: the file must begin with the names of its columns: `user_id` or `user_id,month`, or those of "
        f"`tracked-users export`, `{','.join(BY_HASH)}` (the last two are optional)."
    )


def _named(header: list[str], row: list[str]) -> Mapping[str, str]:
    if len(row) != len(header):
        raise RowMistakeError(f"the number of columns is not {len(header)}, as in line 1")
    return dict(zip(header, row, strict=True))


def _rows(file: Iterable[str], mistakes: _Mistakes) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, with the number of each row's last line."""
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
    """Each mistake once, with the first lines that have it and the number of further ones."""

    def __init__(self) -> None:
        self._lines: defaultdict[str, _Lines] = defaultdict(_Lines)

    def add(self, line: int, text: str) -> None:
        self._lines[text].add(line)

    def check(self, rows: int) -> None:
        if self._lines:
            raise UsersFileError("\n".join(f"{lines}: {text}." for text, lines in self._lines.items()))
        if not rows:
            raise UsersFileError("The file has no users.")


class _Lines:
    """Ranges of line numbers: the first ones, and the number of further lines."""

    def __init__(self) -> None:
        self._spans: list[list[int]] = []
        self._more = 0

    def add(self, line: int) -> None:
        if self._spans and self._spans[-1][1] == line - 1:
            self._spans[-1][1] = line
        elif len(self._spans) < MOST_LISTED:
            self._spans.append([line, line])
        else:
            self._more += 1

    def __str__(self) -> str:
        numbers = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in self._spans)
        if self._more:
            numbers += f" and {self._more:,} more"
        return f"Line {numbers}" if numbers.isdigit() else f"Lines {numbers}"
