"""Run all hostile inputs against real workers: ``python -m tests.hostile`` (``make hostile``).

Exit code 0: every promise was kept in every case. 1: a promise was broken, or a case could not be run; the evidence is
printed and stored in ``build/hostile.json``, and the logs of the workers are kept. 130: interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from tests.hostile import results
from tests.hostile.run import FULL, SHORT, Gathered, Part, run
from tests.kafka_server import KafkaServerError, KafkaUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

_SHOWN: Final = 60
_WIDTH: Final = 140


def main() -> int:
    """Run what was chosen, and return the exit code."""
    options = _options()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    folder = Path(tempfile.mkdtemp(prefix="onesignal-pipeline-hostile-"))
    started = time.monotonic()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    results.REPORT.unlink(missing_ok=True)

    def tell(text: str) -> None:
        console.print(f"[{time.monotonic() - started:6.1f} s] {text}", markup=False, soft_wrap=True)

    try:
        gathered = asyncio.run(_run(options, folder, tell))
    except (KafkaServerError, KafkaUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        shutil.rmtree(folder, ignore_errors=True)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        tell(f"interrupted; the logs are in {folder}")
        return 130
    return _conclude(gathered, folder, console, short=options.short, seconds=time.monotonic() - started)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description="Run all hostile inputs.")
    parser.add_argument("--short", action="store_true", help="two minutes: light messages, samples of the rest")
    parser.add_argument("--only", choices=[part.value for part in Part], help="run only this part")
    parser.add_argument("--kinds", default="", help="run only messages whose kind contains this text")
    return parser.parse_args()


async def _run(options: argparse.Namespace, folder: Path, tell: Callable[[str], None]) -> Gathered:
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    parts = [Part(options.only)] if options.only else list(Part)
    return await run(SHORT if options.short else FULL, parts, folder, tell, kinds=options.kinds)


def _conclude(gathered: Gathered, folder: Path, console: Console, *, short: bool, seconds: float) -> int:
    found = sorted(gathered.results, key=lambda each: list(Part).index(Part(each.part)))
    report = results.figures(found, seconds=seconds, short=short, unplayed=gathered.unplayed)
    results.write(report)
    console.print(results.table(found))
    for reason in gathered.unplayed:
        console.print(f"NOT RUN: {reason}", markup=False, soft_wrap=True)
    verdict = results.verdict(report)
    if results.is_passed(report):
        shutil.rmtree(folder, ignore_errors=True)
        console.print(f"PASSED: {verdict}; figures in {results.REPORT}", markup=False, soft_wrap=True)
        return 0
    _show_broken(report["broken"], console)
    console.print(
        f"FAILED: {verdict}; all evidence is in {results.REPORT}, logs of the workers in {folder}",
        markup=False,
        soft_wrap=True,
    )
    return 1


def _show_broken(broken: list[dict[str, Any]], console: Console) -> None:
    for each in broken[:_SHOWN]:
        text = f"{each['part']}, {each['kind']}: {each['name']} (expected: {each['expected']}): {each['evidence']}"
        console.print(f"BROKEN, {text}"[:500], markup=False, soft_wrap=True)
    if len(broken) > _SHOWN:
        console.print(f"… and {len(broken) - _SHOWN} more")


if __name__ == "__main__":
    sys.exit(main())
