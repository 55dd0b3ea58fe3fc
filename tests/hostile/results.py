"""The result of each case, summed up by kind, as a table and as JSON. Pure except for `write`."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

REPORT: Final = Path("build/hostile.json")
_MEGABYTE: Final = 1_000_000


@dataclass(slots=True, kw_only=True)
class CaseResult:
    """The result of one case. `peak_bytes` and `allowed_bytes` are those of the worker that came closest to its bound.

    Both are 0 if no worker ran. `faults` are deviations from what is expected; `leaks` is what was logged or shown and
    must not be.
    """

    part: str
    kind: str
    name: str
    expected: str
    lost: int = 0
    disordered: int = 0
    ends: int = 0
    peak_bytes: int = 0
    allowed_bytes: int = 0
    faults: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)

    @property
    def is_too_large(self) -> bool:
        """Return whether a worker needed more memory than docs/operate/capacity.md allows."""
        return self.peak_bytes > self.allowed_bytes

    @property
    def passed(self) -> bool:
        """Return whether every promise was kept."""
        broken = self.lost or self.disordered or self.ends or self.faults or self.leaks
        return not broken and not self.is_too_large

    def evidence(self) -> str:
        """Return what was broken, on one line."""
        found = [
            f"{self.lost} lost" if self.lost else "",
            f"{self.disordered} out of order" if self.disordered else "",
            f"{self.ends} worker ends" if self.ends else "",
            f"{_megabytes(self.peak_bytes)} MB of {_megabytes(self.allowed_bytes)}" if self.is_too_large else "",
            *self.faults,
            *(f"leaked: {leak}" for leak in self.leaks),
        ]
        return "; ".join(filter(None, found))


def by_kind(results: Iterable[CaseResult]) -> Mapping[tuple[str, str], list[CaseResult]]:
    """Return the cases of each part and kind, in the order in which they were run."""
    found: defaultdict[tuple[str, str], list[CaseResult]] = defaultdict(list)
    for each in results:
        found[each.part, each.kind].append(each)
    return found


def table(results: Sequence[CaseResult]) -> Table:
    """Build one row for each kind, and their sum."""
    drawn = Table(title="hostile", title_justify="left")
    drawn.add_column("part")
    drawn.add_column("kind")
    for name in ("cases", "passed", "lost", "order", "ends", "memory, MB of bound", "as expected", "leaks"):
        drawn.add_column(name, justify="right")
    for (part, kind), cases in by_kind(results).items():
        drawn.add_row(Text(part), Text(kind), *_figures(cases))
    drawn.add_section()
    drawn.add_row("all", "", *_figures(results))
    return drawn


def _figures(cases: Sequence[CaseResult]) -> list[str]:
    closest = max(cases, key=lambda each: each.peak_bytes / max(1, each.allowed_bytes), default=None)
    ran = closest is not None and closest.peak_bytes
    return [
        f"{len(cases):,}",
        f"{sum(each.passed for each in cases):,}",
        f"{sum(each.lost for each in cases):,}",
        f"{sum(each.disordered for each in cases):,}",
        f"{sum(each.ends for each in cases):,}",
        f"{_megabytes(closest.peak_bytes)} of {_megabytes(closest.allowed_bytes)}" if closest and ran else "-",
        f"{sum(not each.faults for each in cases):,}",
        f"{sum(len(each.leaks) for each in cases):,}",
    ]


def figures(results: Sequence[CaseResult], *, seconds: float, short: bool, unplayed: Sequence[str]) -> dict[str, Any]:
    """Return everything that is worth keeping. `unplayed` are parts that could not be run, with the reason."""
    return {
        "short": short,
        "seconds": round(seconds, 1),
        "cases": len(results),
        "passed": sum(each.passed for each in results),
        "lost": sum(each.lost for each in results),
        "order_violations": sum(each.disordered for each in results),
        "worker_ends": sum(each.ends for each in results),
        "above_memory_bound": sum(each.is_too_large for each in results),
        "not_as_expected": sum(bool(each.faults) for each in results),
        "leaks": sum(len(each.leaks) for each in results),
        "unplayed": list(unplayed),
        "broken": [{**asdict(each), "evidence": each.evidence()} for each in results if not each.passed],
        "kinds": {
            f"{part}: {kind}": {"cases": len(cases), "passed": sum(each.passed for each in cases)}
            for (part, kind), cases in by_kind(results).items()
        },
    }


def is_passed(report: Mapping[str, Any]) -> bool:
    """Return whether there were cases, all parts were run, and every promise was kept."""
    return bool(report["cases"]) and not report["broken"] and not report["unplayed"]


def verdict(report: Mapping[str, Any]) -> str:
    """Return the sums in one sentence."""
    return (
        f"{report['passed']:,} of {report['cases']:,} cases kept every promise; {report['lost']:,} records lost, "
        f"{report['order_violations']:,} out of order, {report['worker_ends']:,} worker ends, "
        f"{report['above_memory_bound']:,} cases above the memory bound, {report['not_as_expected']:,} not as "
        f"expected, {report['leaks']:,} leaks"
    )


def write(report: Mapping[str, Any]) -> None:
    """Store the figures."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _megabytes(count: int) -> str:
    return f"{count / _MEGABYTE:,.0f}"
