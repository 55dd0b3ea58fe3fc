"""Format the number of tracked users by partition and month."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from pipeline.core.billing_month import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.tools.tracked_users.topics import PartitionUsers

_GAP: Final = "  "
_LEAST_WIDTH: Final = len("2026-11-01")


def month_name(month: int) -> str:
    """Return a month as the date of its first day."""
    return str(date.fromordinal(EPOCH + month))


def counts_by_month(counts: Mapping[int, int]) -> str:
    """Return the number of users of each month as text."""
    return ", ".join(
        f"{count:,} user{'s' * (count != 1)} for the month from {month_name(month)}" for month, count in counts.items()
    )


def table(partitions: Sequence[PartitionUsers], *, has_feed: bool) -> Iterator[str]:
    """Yield the lines of a table: each partition, the total, and the users who are tracked only because of the feed."""
    counted = [{month: len(users) for month, users in each.users.months()} for each in partitions]
    months = sorted({month for counts in counted for month in counts})
    if not months:
        yield "No users are tracked yet."
        return
    rows = [(str(number), counts) for number, counts in enumerate(counted)]
    rows.append(("all", _sum(counted)))
    if has_feed:
        rows.append(("by feed", _sum([each.by_feed for each in partitions])))
    label_width = max(len("partition"), *(len(label) for label, _ in rows))
    yield _GAP.join(["partition".rjust(label_width), *(month_name(month).rjust(_LEAST_WIDTH) for month in months)])
    for label, counts in rows:
        cells = [f"{counts.get(month, 0):,}".rjust(_LEAST_WIDTH) for month in months]
        yield _GAP.join([label.rjust(label_width), *cells])


def _sum(counted: Sequence[Mapping[int, int]]) -> dict[int, int]:
    return {
        month: sum(each.get(month, 0) for each in counted) for month in {month for each in counted for month in each}
    }
