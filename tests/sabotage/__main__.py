"""Apply every mistake of the list and run only its tests: `python -m tests.sabotage`.

It fails when a test passes under a mistake that it must notice, when it does not pass without one, and when the text to
replace is not in its file exactly once. With words, only mistakes whose name or file contains one of them are applied.

The whole list takes two minutes at most, so that it is run often. The limit is CPU time, since waiting for a core does
not count: two minutes for each process that runs in parallel.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.sabotage.catalogue import SABOTAGES
from tests.sabotage.trial import trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sabotage.mistake import Sabotage
    from tests.sabotage.trial import Seen

SIDE_BY_SIDE: Final = 2
MOST_SECONDS: Final = 120.0


def main(words: Sequence[str]) -> int:
    """Run the list and return the exit code."""
    started = time.monotonic()
    chosen = [each for each in SABOTAGES if not words or any(word in f"{each.file} {each.name}" for word in words)]
    if not chosen:
        _say("No mistake contains one of these words.")
        return 1
    unaltered = _without_a_mistake(chosen)
    problems, cpu_seconds = unaltered.problems, unaltered.cpu_seconds
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for sabotage, tried in zip(chosen, pool.map(_tried, chosen), strict=True):
            noticed = "NOT NOTICED" if tried.problems else "noticed"
            _say(f"{noticed:<12} {tried.seconds:5.1f} s  {sabotage.file}: {sabotage.name}")
            problems += [f"{sabotage.file}: {sabotage.name}: {problem}" for problem in tried.problems]
            cpu_seconds += tried.cpu_seconds
    on_each = cpu_seconds / SIDE_BY_SIDE
    if on_each > MOST_SECONDS:
        problems.append("the list takes longer than its limit")
    spent = (
        f"{time.monotonic() - started:.0f} s; {on_each:.0f} s of CPU time on each of {SIDE_BY_SIDE} cores "
        f"(limit {MOST_SECONDS:.0f} s)"
    )
    if problems:
        _say("\n" + "\n".join(problems))
        _say(f"\nFAILED: {len(problems)} problems with {len(chosen)} mistakes, {spent}")
        return 1
    _say(f"\nAll {len(chosen)} mistakes are noticed, {spent}")
    return 0


class _Tried(NamedTuple):
    """The problems with mistakes or their tests, nothing if there is none, and the time it took to find out."""

    problems: list[str]
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def _without_a_mistake(chosen: Sequence[Sabotage]) -> _Tried:
    """Run all named tests without a mistake."""
    node_ids = sorted({node_id for sabotage in chosen for node_id in sabotage.node_ids})
    seen = trial(node_ids)
    problems = [f"{node_id} does not pass without a mistake" for node_id in node_ids if not seen.passes(node_id)]
    _say(f"{'FAILED' if problems else 'passed':<12} {seen.seconds:5.1f} s  {len(node_ids)} tests without a mistake")
    if problems:
        _say(seen.printed)
    return _Tried(problems, seen.seconds, seen.cpu_seconds)


def _tried(sabotage: Sabotage) -> _Tried:
    """Run the tests of a mistake under it."""
    try:
        altered = sabotage.applied()
    except LookupError as error:
        return _Tried([str(error)])
    seen = trial(sabotage.node_ids, altered)
    return _Tried(_problems(sabotage, seen), seen.seconds, seen.cpu_seconds)


def _problems(sabotage: Sabotage, seen: Seen) -> list[str]:
    if not seen.in_time:
        return [f"the tests had not ended after {seen.seconds:.0f} s"]
    if seen.broken:
        return [f"the code cannot be run with it: {seen.printed}"]
    return [f"{node_id} passes" for node_id in sabotage.node_ids if not seen.noticed_by(node_id)]


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.sabotage", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", help="apply only mistakes with one of these in their name or file")
    raise SystemExit(main(parser.parse_args(sys.argv[1:]).words))
