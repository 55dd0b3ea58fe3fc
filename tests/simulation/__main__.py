"""Run the simulation for many seeds: `python -m tests.simulation --seeds 20000 --from 0`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.playing import REFUSALS, Tally, play_seed

_PROGRESS_SEEDS = 1_000


def main() -> int:
    """Run one seed after another; return 1 at the first that breaks a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many (default: 20000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them (default: 0)")
    parser.add_argument(
        "--refusals",
        action=argparse.BooleanOptionalAction,
        default=REFUSALS,
        help="let the destination refuse single records (400) and large bodies (413)",
    )
    options = parser.parse_args()
    tally, started = Tally(), time.monotonic()
    for number in range(options.seeds):
        found = play_seed(options.first + number, refusals=options.refusals, tally=tally)
        if found is not None:
            print(found, flush=True)
            print(f"FAILED: seed {options.first + number}, after {number} that kept every promise", flush=True)
            return 1
        if (number + 1) % _PROGRESS_SEEDS == 0:
            print(f"{number + 1} seeds, {_rate(tally, started):.0f} a minute", flush=True)
    print(
        f"PASSED: {tally.seeds} seeds from {options.first}, {_rate(tally, started):.0f} a minute; "
        f"{tally.accepted} records accepted, {tally.repeated} repeated "
        f"and {tally.late} late in {tally.virtual_seconds / 3600:.0f} "
        "virtual hours; no promise broken",
        flush=True,
    )
    return 0


def _rate(tally: Tally, started: float) -> float:
    return tally.seeds / max(time.monotonic() - started, 1e-9) * 60


if __name__ == "__main__":
    sys.exit(main())
