"""The demo's child processes: they end with their parent, are watched, and are stopped by process id."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pipeline.local.demo_errors import ProcessEndedError
from pipeline.runtime.leash import leashed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_STOP_SECONDS: Final = 15
_ANNOUNCE_SECONDS: Final = 30
_TAIL_LINES: Final = 25
_SETTINGS_PREFIX: Final = "PIPELINE_"


@dataclass(slots=True, kw_only=True)
class Child:
    """One child process: ``python -m`` with these arguments."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: asyncio.subprocess.Process
    serves_others: bool
    may_end: bool = False

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the caller's settings: no demo may reach their cluster or use their write key."""
    return {name: value for name, value in environment.items() if not name.startswith(_SETTINGS_PREFIX)}


@dataclass(slots=True, kw_only=True)
class Children:
    """All child processes of one demo. They end with ``stop``, and with this process however it ends.

    Start them from the main thread, because the leash depends on it.
    """

    folder: Path
    _children: dict[str, Child] = field(init=False, default_factory=dict)

    async def start(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process whose output goes to its log only."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *leashed([sys.executable, "-m", *arguments]),
                env=self._within_folder(environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,  # Ctrl-C reaches only the demo, which stops its children in order
            )
        self._add(name, arguments, environment, log, process, serves_others=False)

    async def start_and_listen(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> bytes:
        """Start a process and return the first line that it prints.

        Raises:
            ProcessEndedError: it ended without printing a line, or printed none in time.
        """
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *leashed([sys.executable, "-m", *arguments]),
                env=self._within_folder(environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
                process_group=0,
            )
        child = self._add(name, arguments, environment, log, process, serves_others=True)
        if process.stdout is None:
            raise ProcessEndedError(name, None, "its output is not connected")
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _ANNOUNCE_SECONDS)
        except TimeoutError:
            line = b""
        if not line:
            raise ProcessEndedError(name, process.returncode, child.log_tail())
        return line

    def _within_folder(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return an environment whose temporary files are in the demo's folder, and are deleted with it."""
        return {**environment, "TMPDIR": str(self.folder)}

    def _add(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        process: asyncio.subprocess.Process,
        *,
        serves_others: bool,
    ) -> Child:
        child = Child(
            name=name,
            arguments=arguments,
            environment=environment,
            log=log,
            process=process,
            serves_others=serves_others,
        )
        self._children[name] = child
        return child

    async def kill_and_restart(self, name: str) -> None:
        """Kill a process with SIGKILL, as a power loss would, and start it again with the same arguments."""
        child = self._children[name]
        child.may_end = True
        child.process.kill()
        await child.process.wait()
        await self.start(name, child.arguments, child.environment)

    async def watch(self) -> None:
        """Run until a process ends unexpectedly.

        Raises:
            ProcessEndedError: a process ended; the text has the end of its log.
        """
        while True:
            waits = {asyncio.create_task(child.process.wait()): child for child in self._children.values()}
            try:
                done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            for wait in done:
                child = waits[wait]
                if not child.may_end:
                    raise ProcessEndedError(child.name, child.process.returncode, child.log_tail())
                await asyncio.sleep(0)  # lets its successor start

    async def stop(self) -> None:
        """Stop every process, those that serve the others last. A process that does not end in time is killed."""
        for serves_others in (False, True):
            group = [child for child in self._children.values() if child.serves_others is serves_others]
            await asyncio.gather(*(self._end(child) for child in group))

    async def _end(self, child: Child) -> None:
        child.may_end = True
        if child.process.returncode is not None:
            return
        child.process.terminate()
        try:
            await asyncio.wait_for(child.process.wait(), _STOP_SECONDS)
        except TimeoutError:
            child.process.kill()
            await child.process.wait()
