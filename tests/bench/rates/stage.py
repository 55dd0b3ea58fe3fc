"""The topics of one measurement, and its processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Self
from urllib.request import urlopen

from pipeline.local.segment.stand_in import WRITE_KEY
from pipeline.runtime.leash import leashed
from tests.bench.runs import RunError
from tests.loopback import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.cluster import Cluster

PARTITIONS: Final = 12
START_SECONDS: Final = 60
ARRIVAL_SECONDS: Final = 60
_STOP_SECONDS: Final = 40
_POLL_SECONDS: Final = 0.1
_TAIL_CHARACTERS: Final = 1_500


class Stage:
    """Topics and processes of one measurement; all end with the block."""

    def __init__(
        self, cluster: Cluster, *, partitions: int = PARTITIONS, settings: Mapping[str, str] | None = None
    ) -> None:
        self.cluster = cluster
        self.partitions = partitions
        self.processor_group = f"bench.{uuid.uuid4().hex[:8]}"
        self.sink_group = f"bench.{uuid.uuid4().hex[:8]}"
        self.raw = self.records = self.letters = ""
        self.folder = Path()
        self._settings = dict(settings or {})
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="onesignal-pipeline-rates-")))
            self.raw, self.records, self.letters = (
                stack.enter_context(self.cluster.topic(name, partitions=self.partitions))
                for name in ("raw", "records", "letters")
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every process of the stage."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")},
            "PIPELINE_KAFKA_BOOTSTRAP_SERVERS": self.cluster.bootstrap_servers,
            "PIPELINE_RAW_TOPIC": self.raw,
            "PIPELINE_RECORDS_TOPIC": self.records,
            "PIPELINE_DEAD_LETTER_TOPIC": self.letters,
            "PIPELINE_PROCESSOR_GROUP": self.processor_group,
            "PIPELINE_SEGMENT_SINK_GROUP": self.sink_group,
            "PIPELINE_HTTP_HOST": "127.0.0.1",
            "PIPELINE_SEGMENT_WRITE_KEY": WRITE_KEY,
            **self._settings,
        }

    def report(self, name: str) -> Path:
        """Return the file to which a process writes its report."""
        return self.folder / f"{name}.json"

    def log(self, name: str) -> Path:
        """Return the file to which a process writes its log."""
        return self.folder / f"{name}.log"

    def start(
        self, name: str, module: str, *arguments: str, settings: Mapping[str, str] | None = None, piped: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a module as a separate process; its output is written to its log, or into a pipe."""
        return self.run(name, [sys.executable, "-m", module, *arguments], settings=settings, piped=piped)

    def run(
        self, name: str, command: Sequence[str], *, settings: Mapping[str, str] | None = None, piped: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a program as a separate process."""
        log = self._stack.enter_context(self.log(name).open("wb"))
        process = subprocess.Popen(
            leashed(command),
            env={**self.environment, **(settings or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else log,
            stderr=log,
        )
        self._stack.callback(stop, process)
        return process

    def workers(
        self, roles: Sequence[str], settings: Mapping[str, str] | None = None, *, within: float = START_SECONDS
    ) -> list[subprocess.Popen[bytes]]:
        """Start workers of the pipeline side by side, and wait until all are ready."""
        ports = free_ports(len(roles))
        names = [role if roles.count(role) == 1 else f"{role}-{number}" for number, role in enumerate(roles)]
        processes = [
            self.start(
                name,
                "tests.bench.contestants.counted",
                str(self.report(name)),
                "worker",
                role,
                settings={**(settings or {}), "PIPELINE_HTTP_PORT": str(port)},
            )
            for name, role, port in zip(names, roles, ports, strict=True)
        ]
        for name, port, process in zip(names, ports, processes, strict=True):
            self.until(partial(ready, port), f"{name} is not ready", process, within=within)
        return processes

    def destination(self) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
        """Start the light destination; return it, and the settings with which a sink sends to it."""
        process = self.start(
            "destination", "tests.bench.watching_destination", str(self.report("destination")), piped=True
        )
        first = process.stdout.readline() if process.stdout is not None else b""
        if not first:
            raise RunError(f"the destination did not start:\n{self.logs()}")
        return process, {"PIPELINE_SEGMENT_ENDPOINT": json.loads(first)["endpoint"]}

    def feed(self, rate: int, seconds: float) -> subprocess.Popen[bytes]:
        """Start writing events at a steady rate."""
        return self.start("feed", "tests.bench.steady_feed", self.raw, str(rate), str(seconds), piped=True)

    def until(
        self,
        condition: Callable[[], bool],
        what: str,
        *processes: subprocess.Popen[bytes],
        within: float = START_SECONDS,
    ) -> None:
        """Wait until a condition holds.

        Raises:
            RunError: it does not in time, or a process ended.
        """
        deadline = time.monotonic() + within
        while not condition():
            if any(each.poll() is not None for each in processes) or time.monotonic() > deadline:
                raise RunError(f"{what}; ends of the logs:\n{self.logs()}")
            time.sleep(_POLL_SECONDS)

    def logs(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-_TAIL_CHARACTERS:]}"
            for path in sorted(self.folder.glob("*.log"))
        )


def written_by(feed: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a feed, and return how many events it wrote.

    Raises:
        RunError: Kafka did not confirm all of them, or not in time.
    """
    try:
        output, _ = feed.communicate(timeout=ARRIVAL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise RunError(f"the feed had not ended after another {ARRIVAL_SECONDS} s") from error
    if feed.returncode:
        raise RunError("the feed failed: Kafka did not confirm all events")
    return int(output)


def ready(port: int) -> bool:
    """Return whether the worker at a port reports that it is ready."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a process with SIGTERM, as an operator does."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
