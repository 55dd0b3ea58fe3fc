"""A real Prometheus that scrapes workers on this machine, and its answers."""

from __future__ import annotations

import asyncio
import math
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import yaml

from pipeline.runtime.leash import leashed
from tests.deploy.dashboards.files import ALERTS
from tests.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

NAMESPACE: Final = "events"
RELEASE: Final = "pipeline"
START_SECONDS: Final = 30
STOP_SECONDS: Final = 15
SCRAPE_SECONDS: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The last value of one series."""

    labels: Mapping[str, str]
    value: float


class QueryError(Exception):
    """Prometheus rejected a query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """A running Prometheus."""

    address: str

    async def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of its API.

        Raises:
            QueryError: the request was rejected; the text gives the reason.
        """
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.address}/api/v1/{path}", params=parameters) as answer,
        ):
            told = await answer.json()
        if told["status"] != "success":
            raise QueryError(told["error"])
        return told["data"]

    async def query(self, expression: str) -> list[Sample]:
        """Evaluate an expression now."""
        found = await self.get("query", query=expression)
        return [Sample(labels=each["metric"], value=float(each["value"][1])) for each in found["result"]]

    async def finite(self, expression: str) -> list[Sample]:
        """Evaluate an expression now and return the finite samples."""
        return [sample for sample in await self.query(expression) if math.isfinite(sample.value)]

    async def until(self, expression: str, *, seconds: float) -> None:
        """Wait until an expression has a sample.

        Raises:
            TimeoutError: it has none in time.
        """
        async with asyncio.timeout(seconds):
            while not await self.query(expression):  # noqa: ASYNC110 -- another process cannot set an Event of ours
                await asyncio.sleep(0.5)


@asynccontextmanager
async def running_prometheus(
    program: str, folder: Path, targets: Sequence[tuple[str, int]]
) -> AsyncIterator[Prometheus]:
    """Scrape workers, each by its job and its port, with the chart's alerts loaded."""
    port = free_port()
    configuration = folder / "prometheus.yml"
    configuration.write_text(_configuration(targets), encoding="utf-8")
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *leashed(
                [
                    program,
                    f"--config.file={configuration}",
                    f"--storage.tsdb.path={folder / 'prometheus'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--log.level=warn",
                ]
            ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        prometheus = Prometheus(address=f"http://127.0.0.1:{port}")
        try:
            await _until_ready(prometheus)
            yield prometheus
        finally:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


def _configuration(targets: Sequence[tuple[str, int]]) -> str:
    """Return a configuration with the labels of the chart's PodMonitor: job, instance, namespace and release."""
    jobs = sorted({job for job, _ in targets})
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": "2s"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [
                {
                    "job_name": job,
                    "static_configs": [
                        {
                            "targets": [f"127.0.0.1:{port}" for each, port in targets if each == job],
                            "labels": {"namespace": NAMESPACE, "release": RELEASE},
                        }
                    ],
                }
                for job in jobs
            ],
        }
    )


async def _until_ready(prometheus: Prometheus) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                await prometheus.query("vector(1)")
            except (aiohttp.ClientError, QueryError):
                await asyncio.sleep(0.1)
            else:
                return
