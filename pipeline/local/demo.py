"""The demo: the whole pipeline on this machine, from a generator to a stand-in for Segment, with sums that add up.

Broker and generator live in this process; the stand-in and the workers are processes of their own, started as an
operator would start them.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from pipeline.local.broker import EmbeddedBroker
from pipeline.local.demo_children import Children, without_settings
from pipeline.local.demo_errors import DemoError
from pipeline.local.demo_progress import DemoProgress
from pipeline.local.demo_report import print_report
from pipeline.local.demo_run import DemoRun
from pipeline.local.demo_watch import Names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.presets import Preset

PARTITIONS: Final = 16
_PLAIN_WIDTH: Final = 120
_FAILED: Final = 1
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the caller chose. ``keep``: stay up at the end and print the addresses."""

    events: int
    seed: int
    faults: bool
    preset: Preset
    keep: bool


def run_demo(options: DemoOptions, *, environment: Mapping[str, str]) -> int:
    """Run the demo and return the exit code: 0 when it adds up, 1 when it does not, 130 when it was interrupted."""
    # Not what rich takes for a terminal: FORCE_COLOR, which many CI systems set, makes one of any file.
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH, force_interactive=False)
    folder = Path(tempfile.mkdtemp(prefix="onesignal-pipeline-demo-"))
    code = _FAILED
    try:
        code = asyncio.run(_run(options, without_settings(environment), folder, console))
    except* DemoError as errors:
        for error in _leaves(errors):
            console.print(f"[bold red]The demo failed:[/] {error}", highlight=False, soft_wrap=True)
    except* (KeyboardInterrupt, asyncio.CancelledError):
        console.print("interrupted; everything that was started has been stopped")
        code = _INTERRUPTED
    if code == _FAILED:
        console.print(f"logs: {folder}", highlight=False, soft_wrap=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return code


def _leaves(group: BaseExceptionGroup[DemoError]) -> list[DemoError]:
    found: list[DemoError] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


async def _run(options: DemoOptions, environment: Mapping[str, str], folder: Path, console: Console) -> int:
    task = asyncio.current_task()
    if task is not None:
        # SIGINT too: where the shell ignores it (for a job in the background), Python leaves it ignored.
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    children = Children(folder=folder)
    with EmbeddedBroker() as broker:
        names = Names()
        for topic in names.topics:
            broker.create_topic(topic, PARTITIONS)
        try:
            run = DemoRun(
                bootstrap_servers=broker.bootstrap_servers,
                names=names,
                partitions=PARTITIONS,
                children=children,
                environment=environment,
                preset=options.preset,
                seed=options.seed,
                faults=options.faults,
            )
            with DemoProgress(console, events=options.events) as progress:
                outcome = await run.to_the_end(options.events, progress)
            print_report(console, outcome)
            if options.keep:
                await _stay_up(run, children, console, folder)
        finally:
            await children.stop()
    return 0 if outcome.adds_up else _FAILED


async def _stay_up(run: DemoRun, children: Children, console: Console, folder: Path) -> None:
    console.print("\nStill up, until Ctrl-C:", highlight=False)
    for name, address in run.addresses().items():
        console.print(f"  {name:<24} {address}", highlight=False, soft_wrap=True)
    console.print(f"  {'logs':<24} {folder}", highlight=False, soft_wrap=True)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    watching = asyncio.create_task(children.watch())
    waiting = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({watching, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for each in (watching, waiting):
        each.cancel()
    if watching in done:
        watching.result()
