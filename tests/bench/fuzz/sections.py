"""Assign a changed outcome to the section of the issue that changed it, without the code that did.

A section is the cause when the outcome is another one as soon as the body is read without this section.
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
    """What the check says of one body: the sections that its outcome needs, none if it is as before.

    ``is_explained`` is false when the outcome is not the one that the issue wants. ``is_alone`` tells that one section
    is enough.
    """

    is_explained: bool
    sections: tuple[Section, ...] = ()
    is_alone: bool = False


def explained(before: Before, body: bytes, case: Case, old: Result, new: Result) -> Finding:
    """Explain what the new version made of a body."""
    subject = Subject(before, body, case, old, new)
    if not subject.allows(ALL):
        return Finding(is_explained=False)
    if old == new:
        return Finding(is_explained=True)
    if subject.allows(NONE):
        return Finding(is_explained=False)
    needed = tuple(each for each in Section if not subject.allows(ALL - {each}))
    if not needed:  # each of several sections explains it alone, or each of several pairs
        sets = (each for size in (1, 2) for each in combinations(Section, size))
        needed = next((each for each in sets if subject.allows(frozenset(each))), ())
    is_alone = len(needed) == 1 and subject.allows(frozenset(needed))
    return Finding(is_explained=bool(needed), sections=needed, is_alone=is_alone)
