"""Mutate a module, one change at a time, and run its tests each time: `make mutants ARGS="ledger packing"`.

Survivors are printed, except those known to be harmless (`tests/mutants/harmless.py`); the exit code is 1 if any is
left. Without a name it lists the modules. It takes minutes per module, so it is not part of CI. With `--again` it tries
only the survivors of the last run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.mutants.harmless import judged
from tests.mutants.making import Mutant, mutants_of
from tests.mutants.modules import MODULES
from tests.sabotage.mistake import Altered, path_of
from tests.sabotage.trial import trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.mutants.modules import Module

SIDE_BY_SIDE: Final = 2
LEAST_PATIENCE_SECONDS: Final = 15.0
PATIENCE: Final = 5.0
"""A mutant under which the tests take this many times as long counts as noticed: they do not end."""
REPORT: Final = Path("build/mutants")


def main(names: Sequence[str], *, again: bool) -> int:
    """Try the mutants of the chosen modules and return the exit code."""
    if not names:
        print("Give one or more of:", ", ".join(MODULES))
        return 1
    left = 0
    for name in names:
        left += _try_mutants(name, MODULES[name], again=again)
    print(f"\n{'FAILED: ' if left else ''}{left} survivors without a judgement", flush=True)
    return 1 if left else 0


def _try_mutants(name: str, module: Module, *, again: bool) -> int:
    """Try every mutant of a module; return how many survivors are not known to be harmless."""
    started = time.monotonic()
    unchanged = trial(module.tests)
    if unchanged.failed or unchanged.broken or not unchanged.passed:
        print(unchanged.printed)
        raise SystemExit(f"The tests of {name} do not pass without a change.")
    patience = max(LEAST_PATIENCE_SECONDS, PATIENCE * unchanged.seconds)
    mutants = mutants_of(path_of(module.file).read_text(encoding="utf-8"))
    report = REPORT / f"{name}.json"
    if again:
        before = [(each["removed"], each["added"]) for each in json.loads(report.read_text(encoding="utf-8"))]
        mutants = [mutant for mutant in mutants if (mutant.removed, mutant.added) in before]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        lives = list(pool.map(lambda mutant: _survives(module, mutant, patience), mutants))
    survivors = [mutant for mutant, survives in zip(mutants, lives, strict=True) if survives]
    unjudged, unused = judged(name, survivors)
    for mutant in unjudged:
        print(f"pipeline/{module.file}:{mutant.number}\n  - {mutant.removed}\n  + {mutant.added}")
    for harmless in unused:
        print(f"judged harmless, but noticed: {harmless.removed} -> {harmless.added or 'anything'}")
    REPORT.mkdir(parents=True, exist_ok=True)
    survived = [{"line": each.number, "removed": each.removed, "added": each.added} for each in survivors]
    report.write_text(json.dumps(survived, indent=1), encoding="utf-8")
    print(
        f"{name}: {len(mutants)} mutants, {len(survivors)} survivors, {len(survivors) - len(unjudged)} harmless,"
        f" {time.monotonic() - started:.0f} s",
        flush=True,
    )
    return len(unjudged)


def _survives(module: Module, mutant: Mutant, patience_seconds: float) -> bool:
    altered = Altered(file=module.file, text=mutant.text)
    seen = trial(module.tests, altered, stops_at_first=True, patience_seconds=patience_seconds)
    return seen.in_time and bool(seen.passed) and not seen.failed and not seen.broken


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*MODULES, []], metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument("--again", action="store_true", help="try only the survivors of the last run")
    arguments = parser.parse_args(sys.argv[1:])
    raise SystemExit(main(arguments.names, again=arguments.again))
