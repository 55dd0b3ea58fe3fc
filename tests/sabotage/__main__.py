"""Apply every mistake of the list, each against its tests alone: `python -m tests.sabotage`.

It fails when a test passes under a mistake that it must notice, when it does not pass without one, and when the text
to replace does not stand in its file exactly once. With words, only mistakes with one of them in their name or file
are applied.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from tests.sabotage.catalogue import SABOTAGES
from tests.sabotage.trial import trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sabotage.mistake import Sabotage

SIDE_BY_SIDE: Final = 2


def main(words: Sequence[str]) -> int:
    """Run the list and return the exit code."""
    started = time.monotonic()
    chosen = [each for each in SABOTAGES if not words or any(word in f"{each.file} {each.name}" for word in words)]
    if not chosen:
        _say("No mistake has one of these words.")
        return 1
    objections = _objections_to_the_tests(chosen)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for sabotage, (objection, seconds) in zip(chosen, pool.map(_tried, chosen), strict=True):
            _say(f"{'NOT NOTICED' if objection else 'noticed':<12} {seconds:5.1f} s  {sabotage.file}: {sabotage.name}")
            if objection:
                objections.append(f"{sabotage.file}: {sabotage.name}: {objection}")
    seconds = time.monotonic() - started
    if objections:
        _say("\n" + "\n".join(objections))
        _say(f"\nFAILED: {len(objections)} objections to {len(chosen)} mistakes, {seconds:.0f} s")
        return 1
    _say(f"\nAll {len(chosen)} mistakes are noticed, {seconds:.0f} s")
    return 0


def _objections_to_the_tests(chosen: Sequence[Sabotage]) -> list[str]:
    """Run all named tests without a mistake."""
    node_ids = sorted({node_id for sabotage in chosen for node_id in sabotage.node_ids})
    seen = trial(node_ids)
    objections = [f"{node_id} does not pass without a mistake" for node_id in node_ids if not seen.passes(node_id)]
    _say(f"{'FAILED' if objections else 'passed':<12} {seen.seconds:5.1f} s  {len(node_ids)} tests without a mistake")
    if objections:
        _say(seen.printed)
    return objections


def _tried(sabotage: Sabotage) -> tuple[str, float]:
    """Return what is wrong with a mistake or its tests, empty when all is well, and the seconds that it took."""
    try:
        altered = sabotage.applied()
    except LookupError as error:
        return str(error), 0.0
    seen = trial(sabotage.node_ids, altered)
    if not seen.in_time:
        return f"the tests had not ended after {seen.seconds:.0f} s", seen.seconds
    if seen.broken:
        return f"the code cannot be run with it: {seen.printed}", seen.seconds
    missed = [node_id for node_id in sabotage.node_ids if not seen.noticed_by(node_id)]
    return ", ".join(f"{node_id} passes" for node_id in missed), seen.seconds


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.sabotage", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", help="apply only mistakes with one of these in their name or file")
    raise SystemExit(main(parser.parse_args(sys.argv[1:]).words))
