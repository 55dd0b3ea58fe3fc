"""Run the demo: the whole pipeline on this machine, from a traffic generator to stand-ins for the destinations.

The broker and the generator run in this process. The stand-ins and the workers run in their own processes and are
started as an operator would start them. At the end the demo checks that the counts add up.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.local.broker import EmbeddedBroker
from pipeline.local.demo_children import Children, without_settings
from pipeline.local.demo_destinations import DESTINATIONS
from pipeline.local.demo_errors import DemoError
from pipeline.local.demo_progress import DemoProgress
from pipeline.local.demo_report import print_report
from pipeline.local.demo_run import DemoRun
from pipeline.output.console import TerminalConsole, words
from pipeline.output.printing import OutputLostError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.core.presets import Preset

PARTITIONS: Final = 16
_PLAIN_WIDTH: Final = 120
_FAILED: Final = 1
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """The options of the command. ``keep``: keep running at the end, and print the addresses."""

    events: int
    seed: int
    faults: bool
    preset: Preset
    keep: bool


def run_demo(options: DemoOptions, *, environment: Mapping[str, str]) -> int:
    """Run the demo and return the exit code: 0 if the counts add up, 1 if they do not, 130 if it was interrupted.

    Raises:
        OutputLostError: standard output cannot be written; all processes have been stopped.
    """
    console = TerminalConsole.of_output(plain_width=_PLAIN_WIDTH)
    folder = Path(tempfile.mkdtemp(prefix="onesignal-pipeline-demo-"))
    code = _FAILED
    faults: list[Exception] = []
    try:
        code = asyncio.run(_run(options, without_settings(environment), folder, console))
    except* (DemoError, OutputLostError) as errors:
        faults = _leaves(errors)
    except* (KeyboardInterrupt, asyncio.CancelledError):
        code = _INTERRUPTED
    lost = next((fault for fault in faults if isinstance(fault, OutputLostError)), None)
    if code != _FAILED or lost is not None:
        shutil.rmtree(folder, ignore_errors=True)
    if lost is not None:
        raise lost
    _print_end(console, code, faults, folder)
    return code


def _print_end(console: TerminalConsole, code: int, faults: Sequence[Exception], folder: Path) -> None:
    for fault in faults:
        reason, *log = str(fault).split("\n")
        console.print(words("The demo failed:", "bold red") + words(f" {reason}"), soft_wrap=True)
        for row in log:
            console.print(row, soft_wrap=True)
    if code == _INTERRUPTED:
        console.print("Interrupted. All processes have been stopped.")
    if code == _FAILED:
        console.print(f"logs: {folder}", soft_wrap=True)


def _leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    found: list[Exception] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


async def _run(options: DemoOptions, environment: Mapping[str, str], folder: Path, console: TerminalConsole) -> int:
    task = asyncio.current_task()
    if task is not None:
        # SIGINT too: if the shell ignores it, as for a background job, Python leaves it ignored.
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    children = Children(folder=folder)
    with EmbeddedBroker() as broker:
        for topic in dict.fromkeys(topic for each in DESTINATIONS for topic in each.names.topics):
            broker.create_topic(topic, PARTITIONS)
        try:
            run = DemoRun(
                bootstrap_servers=broker.bootstrap_servers,
                destinations=DESTINATIONS,
                partitions=PARTITIONS,
                children=children,
                environment=environment,
                preset=options.preset,
                seed=options.seed,
                faults=options.faults,
            )
            titles = [each.title for each in DESTINATIONS]
            with DemoProgress(console, titles, events=options.events) as progress:
                outcome = await run.execute(options.events, progress)
            print_report(console, outcome)
            if options.keep:
                await _stay_up(run, children, console, folder)
        finally:
            await children.stop()
    return 0 if outcome.adds_up else _FAILED


async def _stay_up(run: DemoRun, children: Children, console: TerminalConsole, folder: Path) -> None:
    console.print()
    console.print("Still running. Press Ctrl-C to stop.")
    for name, address in run.addresses().items():
        console.print(f"  {name:<24} {address}", soft_wrap=True)
    console.print(f"  {'logs':<24} {folder}", soft_wrap=True)
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
