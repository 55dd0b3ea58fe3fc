"""The results for many bodies: counts for each section, and examples of unexplained outcomes."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.bench.fuzz.fields import Section
from tests.bench.fuzz.results import changes_between

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.fuzz.results import Case, Result
    from tests.bench.fuzz.sections import Finding

_EXAMPLES: Final = 10
_BODY_CHARACTERS: Final = 300
_CHANGES_SHOWN: Final = 5
_TITLES: Final = {
    Section.IDS: "empty ids",
    Section.NUMBERS: "numbers beyond 64 bits",
    Section.CONTROL_CHARACTERS: "raw control characters",
    Section.TIMES: "times",
    Section.KINDS: "kinds",
    Section.LANGUAGE: "the user's language",
    Section.SECOND_NAMES: "second names",
    Section.ONE_TEXT: "localized text in one string",
    Section.SMALLER: "smaller rules",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A body that is shown, with the outcomes of both versions."""

    number: int
    body: bytes
    case: Case
    old: str
    new: str

    def __str__(self) -> str:
        body = repr(self.body)
        cut = body if len(body) <= _BODY_CHARACTERS else f"{body[:_BODY_CHARACTERS]}…"
        return f"body {self.number}, {self.case}\n  {cut}\n  before: {self.old}\n  now:    {self.new}"


@dataclass(slots=True, kw_only=True)
class Tally:
    """The counts of some bodies.

    ``overlooked`` are those that should have changed and did not. An outcome that several sections changed counts for
    the first of them, and ``changes`` are those of the outcomes that one section alone changed.
    """

    bodies: int = 0
    unchanged: int = 0
    exceptions: int = 0
    unassigned: int = 0
    overlooked: int = 0
    alone: Counter[Section] = field(default_factory=Counter)
    with_others: Counter[Section] = field(default_factory=Counter)
    changes: defaultdict[Section, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    examples: list[tuple[str, Example]] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.exceptions or self.unassigned or self.overlooked)

    def count(self, finding: Finding, old: Result, new: Result) -> str:
        """Count one body; return what is wrong with it, or an empty text."""
        self.bodies += 1
        if not finding.is_explained:
            is_changed = old != new
            self.unassigned += is_changed
            self.overlooked += not is_changed
            return "unassigned" if is_changed else "overlooked"
        if old == new:
            self.unchanged += 1
            return ""
        section = finding.sections[0]
        if finding.is_alone:
            self.alone[section] += 1
            self.changes[section].update(changes_between(old, new))
        else:
            self.with_others[section] += 1
        return ""

    def fail(self) -> None:
        """Count a body that raised an exception."""
        self.bodies += 1
        self.exceptions += 1

    def show(self, what: str, example: Example) -> None:
        """Keep an example, up to ten of each kind."""
        if sum(kind == what for kind, _ in self.examples) < _EXAMPLES:
            self.examples.append((what, example))

    def add(self, other: Tally) -> None:
        """Add the counts of other bodies."""
        for name in ("bodies", "unchanged", "exceptions", "unassigned", "overlooked"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.alone.update(other.alone)
        self.with_others.update(other.with_others)
        for section, changes in other.changes.items():
            self.changes[section].update(changes)
        for what, example in other.examples:
            self.show(what, example)


def tally_table(tally: Tally) -> Table:
    """Build a table of how many outcomes each section changed."""
    table = Table("section", "changed", "alone", "first of several", "what it changed alone (number of outcomes)")
    for section in Section:
        changes = ", ".join(f"{name} {count:,}" for name, count in tally.changes[section].most_common(_CHANGES_SHOWN))
        alone, others = tally.alone[section], tally.with_others[section]
        title = f"{section.value}. {_TITLES[section]}"
        table.add_row(title, f"{alone + others:,}", f"{alone:,}", f"{others:,}", changes)
    for column in table.columns[1:4]:
        column.justify = "right"
    return table


def summary(tally: Tally, seconds: float) -> Iterator[str]:
    """Yield the figures below the table, and the examples."""
    changed = sum(tally.alone.values()) + sum(tally.with_others.values())
    yield (
        f"{tally.bodies:,} bodies in {seconds:.0f} s ({tally.bodies / max(seconds, 1e-9):,.0f}/s): "
        f"{tally.unchanged:,} unchanged, {changed:,} changed and assigned"
    )
    yield f"exceptions: {tally.exceptions:,}; unassigned: {tally.unassigned:,}; overlooked: {tally.overlooked:,}"
    for what, example in tally.examples:
        yield f"\n{what}: {example}"
