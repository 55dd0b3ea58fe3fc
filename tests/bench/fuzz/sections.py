"""Assign a changed outcome to the section of the reading rules that changed it, independently of the code.

A section is the cause when the outcome differs as soon as the body is read without this section.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from tests.bench.fuzz.fields import ALL, NONE, Section
from tests.bench.fuzz.wanted import Subject

if TYPE_CHECKING:
    from tests.bench.fuzz.results import Case, Result
    from tests.bench.fuzz.wanted import Before


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of the check of one body: the sections that its outcome needs, none if it is as before.

    ``is_explained`` is false when the outcome is not the expected one. ``is_alone`` means that one section is enough.
    """

    is_explained: bool
    sections: tuple[Section, ...] = ()
    is_alone: bool = False


def explained(before: Before, body: bytes, case: Case, old: Result, new: Result) -> Finding:
    """Explain the outcome of the new version for a body."""
    subject = Subject(before, body, case, old, new)
    if not subject.allows(ALL):
        return Finding(is_explained=False)
    if old == new:
        return Finding(is_explained=True)
    if subject.allows(NONE):
        return Finding(is_explained=False)
    needed = tuple(each for each in Section if not subject.allows(ALL - {each}))
    if not needed:  # several sections, or several pairs of them, each explain it
        sets = (each for size in (1, 2) for each in combinations(Section, size))
        needed = next((each for each in sets if subject.allows(frozenset(each))), ())
    is_alone = len(needed) == 1 and subject.allows(frozenset(needed))
    return Finding(is_explained=bool(needed), sections=needed, is_alone=is_alone)
