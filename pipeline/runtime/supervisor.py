"""`worker all`: one process for each role; they end together."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import structlog

from pipeline.runtime.leash import leashed
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = structlog.get_logger(__name__)

_ENDED_BY_OUR_SIGNAL = frozenset({0, -signal.SIGTERM, -signal.SIGINT})


def run_all(environment: Mapping[str, str], commands: Mapping[str, Sequence[str]], *, http_port: int) -> int:
    """Run one process for each role until a signal or until one of them ends; return the exit code.

    `commands` are the arguments of `worker` for each role, by the role's name. The roles serve their pages on
    consecutive ports, in this order; with port 0 each takes a free one. When one ends, the others are stopped too, and
    its code is returned; a role that ends by itself is a fault (1) even with 0.
    """
    return asyncio.run(_Supervisor(environment, commands, http_port).run())


class _Supervisor:
    def __init__(self, environment: Mapping[str, str], commands: Mapping[str, Sequence[str]], http_port: int) -> None:
        self._environment = environment
        self._commands = commands
        self._http_port = http_port
        self._told_to_stop = False
        self._children: dict[str, asyncio.subprocess.Process] = {}

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._pass_on, number)
        for index, role in enumerate(self._commands):
            self._children[role] = await self._start(role, self._http_port and self._http_port + index)
            if self._told_to_stop:
                break
        waits = {asyncio.create_task(child.wait()): role for role, child in self._children.items()}
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        by_itself = not self._told_to_stop
        if by_itself:
            for task in done:
                logger.error("a role ended, stopping the others", role=waits[task], exit_code=task.result())
            self._pass_on(signal.SIGTERM)
        await asyncio.wait(waits)
        first_ended = [task.result() for task in done]
        return total_exit_code([*first_ended, *(task.result() for task in waits)], by_itself=by_itself)

    async def _start(self, role: str, port: int) -> asyncio.subprocess.Process:
        environment = {**self._environment, variable("http_port"): str(port)}
        child = await asyncio.create_subprocess_exec(
            *leashed([sys.executable, "-m", "pipeline", "worker", *self._commands[role]]),
            env=environment,
            # Its own process group: Ctrl-C reaches only this process, which passes it on once.
            process_group=0,
        )
        if self._told_to_stop:
            child.terminate()
        logger.info("role started", role=role, process=child.pid, http_port=port)
        return child

    def _pass_on(self, number: signal.Signals) -> None:
        self._told_to_stop = True
        for child in self._children.values():
            if child.returncode is None:
                os.kill(child.pid, number)


def total_exit_code(codes: Sequence[int], *, by_itself: bool) -> int:
    """Return the first exit code that is not 0, in the order of ending, as a shell reports it.

    A role that our own signal ended before it handled signals had nothing in hand, and counts as 0.
    """
    code = next((code for code in codes if code not in _ENDED_BY_OUR_SIGNAL), int(by_itself))
    return code if code >= 0 else 128 - code
