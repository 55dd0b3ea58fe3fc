"""Inject every kind of fault and report the result: ``python -m tests.chaos`` (``make chaos``).

Exit code 0: every promise was kept. 1: a promise was broken, or the run did not complete; the evidence is printed and
stored in ``build/chaos.json``, and the logs of the workers are kept.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench.cluster import Cluster
from tests.bench.kills import compare_kills
from tests.chaos import report
from tests.chaos.plan import Form, form
from tests.chaos.run import Outcome, run
from tests.kafka_server import KafkaServer, KafkaServerError, KafkaUnavailableError

_SHOWN = 10


def main() -> int:
    """Run the chaos test and return its exit code."""
    chosen = _chosen()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    folder = Path(tempfile.mkdtemp(prefix="onesignal-pipeline-chaos-"))
    started = time.monotonic()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # members that come and go log errors, which is expected
    report.REPORT.unlink(missing_ok=True)

    def tell(text: str) -> None:
        console.print(f"[{time.monotonic() - started:6.1f} s] {text}", markup=False, soft_wrap=True)

    tell(f"seed {chosen.seed}: {chosen.events:,} events, {chosen.kills} kills, every fault {chosen.rounds} time(s)")
    try:
        figures = report.figures(asyncio.run(_run(chosen, folder, tell)))
        report.write(figures)  # the figures are kept even if the comparison fails
        if not chosen.short:
            tell("killing the processor and stock Faust in turns, which takes two minutes")
            report.compare(figures, lambda: _beside_stock_faust(tell))
    except (KafkaServerError, KafkaUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        shutil.rmtree(folder, ignore_errors=True)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        tell(f"interrupted; the logs are in {folder}")
        return 130
    except Exception as error:  # noqa: BLE001 -- whatever it was, the run proves nothing, and the logs stay
        console.print_exception()
        tell(f"FAILED: the run did not complete ({error!r}); seed {chosen.seed}, logs in {folder}")
        return 1
    return _conclude(figures, folder, console)


def _chosen() -> Form:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Inject every kind of fault.")
    parser.add_argument("--short", action="store_true", help="two minutes instead of several: 16,000 events, 8 kills")
    parser.add_argument("--events", type=int, help="raw messages to write (default: 500000; short: 16000)")
    parser.add_argument("--kills", type=int, help="SIGKILLs of workers over the run (default: 50; short: 8)")
    parser.add_argument("--rounds", type=int, help="how often every other fault is injected (default: 1)")
    parser.add_argument("--seed", type=int, help="seed of traffic and faults (default: random, and printed)")
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    return form(short=options.short, seed=seed, events=options.events, kills=options.kills, rounds=options.rounds)


async def _run(chosen: Form, folder: Path, tell: report.Tell) -> Outcome:
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await run(chosen, folder, tell)


def _beside_stock_faust(tell: report.Tell) -> dict[str, Any]:
    """Measure what a kill of a processor repeats and loses, and the same for stock Faust."""
    with KafkaServer() as server:
        killed = compare_kills(Cluster(server.bootstrap_servers), tell=tell)
    return {name: each.figures() for name, each in killed.items()}


def _conclude(figures: dict[str, Any], folder: Path, console: Console) -> int:
    report.write(figures)
    console.print(report.table(figures), report.recovery_table(figures))
    console.print(report.faults(figures), markup=False, soft_wrap=True)
    for said, times in figures["starts_without_a_broker"].items():
        console.print(f"{times} starts of workers failed and were repeated: {said}", markup=False, soft_wrap=True)
    for name, killed in figures.get("kills_beside_stock_faust", {}).items():
        console.print(
            f"1,000 events/s, {name.replace('_', ' ')} alone: {killed['duplicates_per_kill']} records written "
            f"twice per kill, {killed['most_duplicates_a_kill']} at most, {killed['lost']} events lost in "
            f"{killed['kills']} kills"
        )
    if not figures["broken"]:
        console.print(f"PASSED: every promise was kept (seed {figures['seed']}); figures in {report.REPORT}")
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    for finding in figures["broken"]:
        console.print(f"BROKEN, {finding['count']} times: {finding['promise']}", markup=False)
        for line in finding["evidence"][:_SHOWN]:
            console.print(f"    {line}", markup=False, soft_wrap=True)
    console.print(
        f"FAILED: seed {figures['seed']}; all evidence is in {report.REPORT}, logs of the workers in {folder}"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
