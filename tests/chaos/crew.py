"""The workers: two of each role, restarted whenever one ends, as Kubernetes does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final

from pipeline.bootstrap.roles import worker_arguments
from pipeline.kafka.errors import WENT_AWAY
from pipeline.runtime.leash import leashed
from tests.chaos.credentials import credential
from tests.chaos.recovery import Recovery
from tests.integration.pipeline_processes import WorkerProcess
from tests.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.settings.choices import Role

WORKERS_OF_A_ROLE: Final = 2
_FAULT: Final = "worker ends after a fault; unsettled messages stay in Kafka"
_AGAIN_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 0.1
_READY_SECONDS: Final = 60
_STOP_SECONDS: Final = 40


@dataclass(slots=True, kw_only=True)
class Slot:
    """One worker that is restarted when it ends.

    ``lock`` is held while a fault disturbs it; ``expected`` means that its end is intended.
    """

    name: str
    role: Role
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    worker: WorkerProcess | None = None
    expected: bool = False
    killed_at: float | None = None
    own_ends: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Crew:
    """Keeps every slot filled. ``environment`` returns that of a role's workers; each has its own credential.

    ``most_own_ends``: a slot whose worker has ended by itself this many times stays empty.
    """

    def __init__(
        self,
        *,
        folder: Path,
        environment: Callable[[Role], Mapping[str, str]],
        tell: Callable[[str], None],
        roles: Sequence[Role],
        workers_of_a_role: int = WORKERS_OF_A_ROLE,
        most_own_ends: float = inf,
    ) -> None:
        self.slots = [
            Slot(name=f"{role.value}-{number}", role=role) for number in range(workers_of_a_role) for role in roles
        ]
        self.recoveries: list[Recovery] = []
        self.kills_of: Counter[Role] = Counter()
        self.starts = 0
        self.own_ends: list[str] = []
        self.failed_starts: Counter[str] = Counter()
        self.bad_stops: list[str] = []
        self._folder = folder
        self._most_own_ends = most_own_ends
        self._environment = environment
        self._tell = tell
        self._closing = False
        self._keepers: list[asyncio.Task[None]] = []
        self._looks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Fill the slots."""
        self._keepers = [asyncio.create_task(self._keep(slot)) for slot in self.slots]

    async def all_ready(self, *, seconds: float = _READY_SECONDS) -> None:
        """Wait until every worker is ready.

        Raises:
            TimeoutError: a worker is not ready in time.
        """
        async with asyncio.timeout(seconds):
            for slot in self.slots:
                await slot.ready.wait()

    def of(self, role: Role) -> list[Slot]:
        """Return the slots of a role."""
        return [slot for slot in self.slots if slot.role is role]

    @property
    def kills(self) -> int:
        """Return how many workers were killed."""
        return self.kills_of.total()

    def kill(self, slot: Slot) -> None:
        """Send SIGKILL to a worker, if there is one."""
        worker = slot.worker
        if worker is None or worker.process.returncode is not None:
            return
        self.kills_of[slot.role] += 1
        slot.expected = True
        slot.killed_at = time.time()
        worker.process.kill()

    def signal(self, slot: Slot, number: signal.Signals) -> bool:
        """Send a signal to a worker; return False when there is none."""
        if slot.worker is None or slot.worker.process.returncode is not None:
            return False
        with suppress(ProcessLookupError):
            slot.worker.process.send_signal(number)
        return True

    async def replace(self, slot: Slot) -> None:
        """Stop a worker with SIGTERM, and wait until its successor is ready."""
        worker = slot.worker
        if worker is None or worker.process.returncode is not None:
            return
        slot.expected = True
        slot.ready.clear()
        self.signal(slot, signal.SIGTERM)
        await self._ended(slot, worker)
        async with asyncio.timeout(_READY_SECONDS):
            await slot.ready.wait()

    async def _ended(self, slot: Slot, worker: WorkerProcess) -> None:
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                code = await worker.process.wait()
        except TimeoutError:
            self.bad_stops.append(f"{slot.name} had not ended {_STOP_SECONDS} s after SIGTERM ({worker.log.name})")
            worker.process.kill()
            return
        if code != 0:
            self.bad_stops.append(f"{slot.name} ended with {code} after SIGTERM ({worker.log.name})")

    async def close(self) -> None:
        """Stop every worker with SIGTERM."""
        self._closing = True
        alive = [
            (slot, slot.worker)
            for slot in self.slots
            if slot.worker is not None and slot.worker.process.returncode is None
        ]
        for slot, _ in alive:
            slot.expected = True
            self.signal(slot, signal.SIGTERM)
        await asyncio.gather(*(self._ended(slot, worker) for slot, worker in alive), return_exceptions=True)
        await self.kill_all()

    async def kill_all(self) -> None:
        """Kill all workers; idempotent."""
        self._closing = True
        tasks = [*self._keepers, *self._looks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for slot in self.slots:
            if slot.worker is not None and slot.worker.process.returncode is None:
                slot.worker.process.kill()
                await slot.worker.process.wait()

    async def _keep(self, slot: Slot) -> None:
        while not self._closing and slot.own_ends < self._most_own_ends:
            worker = await self._spawn(slot)
            code = await worker.process.wait()
            was_ready = slot.ready.is_set()
            slot.ready.clear()
            if not slot.expected:
                slot.own_ends += 1
                self._ended_by_itself(slot, worker, code, was_ready=was_ready)
                await asyncio.sleep(_AGAIN_SECONDS)
            slot.expected = False

    def _ended_by_itself(self, slot: Slot, worker: WorkerProcess, code: int, *, was_ready: bool) -> None:
        """Distinguish a start without a broker, which ends at once, from a worker that failed while it was running."""
        lines = worker.log.read_text(errors="replace").splitlines() or ["(nothing logged)"]
        faults = [line for line in lines if _FAULT in line and WENT_AWAY not in line]
        self._tell(f"{slot.name} ended with {code} by itself and is restarted")
        if was_ready or faults:
            self.own_ends.append(
                f"{slot.name} ended with {code}: {(faults or lines[-1:])[0][:600]} ({worker.log.name})"
            )
        else:
            said = next((line for line in lines if not line.startswith("{") or '"level":"error"' in line), lines[-1])
            self.failed_starts[said[:200]] += 1

    async def _spawn(self, slot: Slot) -> WorkerProcess:
        number, port = self.starts, free_port()
        self.starts += 1
        log = self._folder / f"{slot.name}-{number:03d}.log"
        variable, value = credential(slot.role, number)
        own = {**self._environment(slot.role), "PIPELINE_HTTP_PORT": str(port), variable: value}
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *leashed([sys.executable, "-m", "pipeline", "worker", *worker_arguments(slot.role)]),
                env={**os.environ, "TMPDIR": str(self._folder), **own},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        slot.worker = worker = WorkerProcess(role=slot.role, process=process, http_port=port, log=log)
        recovery = Recovery(role=slot.role, credential=value, log=log, killed_at=slot.killed_at)
        recovery.spawned_at = time.time()
        slot.killed_at = None
        self.recoveries.append(recovery)
        look = asyncio.create_task(self._look(slot, worker, recovery))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        return worker

    async def _look(self, slot: Slot, worker: WorkerProcess, recovery: Recovery) -> None:
        """Poll a worker's status page until it is ready."""
        while worker.process.returncode is None:
            status, _ = await worker.get("/readyz")
            now = time.time()
            if status and recovery.started_at is None:
                recovery.started_at = now
            if status == 200:
                recovery.ready_at = now
                slot.ready.set()
                return
            await asyncio.sleep(_LOOK_SECONDS)
