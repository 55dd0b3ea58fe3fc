"""Run many bodies through two versions, on two processes: `python -m tests.bench fuzz --before COMMIT`."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.fuzz.bodies import body_of
from tests.bench.fuzz.results import Decider, case_of, result_of
from tests.bench.fuzz.sections import explained
from tests.bench.fuzz.tally import Example, Tally, summary, tally_table
from tests.bench.fuzz.wanted import Before
from tests.bench.versions import WORKING_TREE, load_version, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.table import Table

BODIES: Final = 2_000_000
SEED: Final = 12
PROCESSES: Final = 2
_BODIES_A_CHUNK: Final = 2_000
_CHUNKS_AHEAD: Final = 3 * PROCESSES
_SECONDS_BETWEEN_LINES: Final = 20.0


class Comparer:
    """Compares the outcomes of the working tree with those of another version."""

    def __init__(self, before: Path, now: Path = WORKING_TREE) -> None:
        """Load both versions."""
        self._before = Before(load_version(before))
        self._now = Decider(load_version(now))

    def compare(self, seed: int, numbers: range) -> Tally:
        """Decide some bodies with both versions and explain what differs."""
        tally = Tally()
        for number in numbers:
            self._compare_one(seed, number, tally)
        return tally

    def _compare_one(self, seed: int, number: int, tally: Tally) -> None:
        body, case = body_of(seed, number), case_of(number)
        old = result_of(self._before.decider.decide(body, case))
        try:
            new = result_of(self._now.decide(body, case))
        except Exception as error:  # noqa: BLE001 -- none may come out of the core, so each is a finding
            tally.fail()
            tally.show("exception", Example(number=number, body=body, case=case, old=str(old), new=repr(error)))
            return
        what = tally.count(explained(self._before, body, case, old, new), old, new)
        if what:
            tally.show(what, Example(number=number, body=body, case=case, old=str(old), new=str(new)))


def fuzz(commit: str, *, bodies: int, seed: int, tell: Callable[[str | Table], None]) -> bool:
    """Compare the working tree with a commit and print the table; return whether everything is explained.

    Raises:
        VersionError: the commit cannot be loaded.
    """
    started = time.monotonic()
    tally = Tally()
    with tree_of(commit) as tree:
        load_version(tree)  # fail here, and not in a worker process, if it cannot be loaded
        shown_at = started
        for chunk in _chunks(tree, bodies, seed):
            tally.add(chunk)
            if time.monotonic() - shown_at >= _SECONDS_BETWEEN_LINES:
                shown_at = time.monotonic()
                tell(_progress(tally, bodies, shown_at - started))
    tell(tally_table(tally))
    for line in summary(tally, time.monotonic() - started):
        tell(line)
    return tally.is_clean


def _progress(tally: Tally, bodies: int, seconds: float) -> str:
    return (
        f"{tally.bodies:,} of {bodies:,} bodies, {tally.bodies / seconds:,.0f}/s; "
        f"exceptions {tally.exceptions:,}, unassigned {tally.unassigned:,}, overlooked {tally.overlooked:,}"
    )


def _chunks(tree: Path, bodies: int, seed: int) -> Iterator[Tally]:
    """Yield the tallies in the order of the bodies; only a few are started ahead, so memory stays bounded."""
    ranges = (range(first, min(first + _BODIES_A_CHUNK, bodies)) for first in range(0, bodies, _BODIES_A_CHUNK))
    with ProcessPoolExecutor(PROCESSES, initializer=_begin, initargs=(str(tree),)) as pool:
        ahead: deque[Future[Tally]] = deque(pool.submit(_compare, seed, each) for each in islice(ranges, _CHUNKS_AHEAD))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(_compare, seed, each) for each in islice(ranges, 1))


_comparers: Final[list[Comparer]] = []


def _begin(tree: str) -> None:
    _comparers.append(Comparer(Path(tree)))


def _compare(seed: int, numbers: range) -> Tally:
    return _comparers[0].compare(seed, numbers)
