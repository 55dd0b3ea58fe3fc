"""One run of the demo: start the processes, write the traffic, wait until all of it has arrived, compare the counts."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import orjson

from pipeline.core.message_ids import content_id
from pipeline.local.demo_accounts import checks, counter_check, sums
from pipeline.local.demo_errors import DemoError
from pipeline.local.demo_faults import FAULT_RATE, kill_each_worker_once
from pipeline.local.demo_http import read_arrivals, read_counters, until_ready
from pipeline.local.demo_observer import Observer
from pipeline.local.demo_presets import PresetComparison
from pipeline.local.demo_report import Outcome
from pipeline.local.demo_watch import watching
from pipeline.local.traffic import traffic
from pipeline.local.traffic_truth import Truth
from pipeline.local.traffic_window import Window
from pipeline.local.traffic_writer import TrafficWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from pipeline.core.presets import Preset
    from pipeline.local.demo_accounts import Arrivals, Check, Sum
    from pipeline.local.demo_children import Children
    from pipeline.local.demo_destinations import DemoDestination
    from pipeline.local.demo_observer import Observed
    from pipeline.local.demo_progress import DemoProgress
    from pipeline.local.demo_watch import Snapshot, Watch

_READY_SECONDS: Final = 60
_SETTINGS: Final[Mapping[str, str]] = {
    "COMMIT_INTERVAL_SECONDS": "0.2",
    "SESSION_TIMEOUT_SECONDS": "6",  # on the embedded broker the successor of a killed worker waits this long
    "HTTP_HOST": "127.0.0.1",
    "LOG_FORMAT": "console",
    "TRACKED_USERS_SECRET": "not a secret: the demo's",
}


@dataclass(slots=True, kw_only=True)
class _Route:
    """One destination in a run: what it should get, how far it is, and what was seen of it."""

    destination: DemoDestination
    truth: Truth
    window: Window
    observer: Observer
    watch: Watch
    address: str


@dataclass(slots=True, kw_only=True)
class DemoRun:
    """All steps from an empty broker to the closing counts."""

    bootstrap_servers: str
    destinations: Sequence[DemoDestination]
    partitions: int
    children: Children
    environment: Mapping[str, str]
    preset: Preset
    seed: int
    faults: bool
    _stand_ins: dict[str, str] = field(init=False, default_factory=dict)
    _ports: dict[str, int] = field(init=False, default_factory=dict)

    async def execute(self, events: int, progress: DemoProgress) -> Outcome:
        """Run until all events have arrived at every destination.

        Raises:
            DemoError: the run cannot go on; alone or in an exception group.
        """
        await self._start(progress)
        comparison = PresetComparison()
        async with AsyncExitStack() as stack:
            routes = [await stack.enter_async_context(self._route(each, progress)) for each in self.destinations]
            begun = time.monotonic()
            writer = TrafficWriter(
                bootstrap_servers=self.bootstrap_servers,
                topic=routes[0].destination.names.raw_topic,
                partitions=self.partitions,
                truths=[route.truth for route in routes],
                windows=[route.window for route in routes],
                wait_for_room=partial(_any_snapshot, [route.watch for route in routes]),
            )
            messages = comparison.watching(traffic(seed=self.seed, events=events))
            async with asyncio.TaskGroup() as group:
                background = [group.create_task(route.watch.run()) for route in routes]
                background.append(group.create_task(self.children.watch()))
                killing = group.create_task(self._faults(routes, events, progress))
                async with writer:
                    await writer.write(messages)
                killed = await killing
                snapshots = await asyncio.gather(*(route.watch.until(partial(_is_over, route)) for route in routes))
                seconds = time.monotonic() - begun
                for task in background:
                    task.cancel()
        return await self._outcome(routes, snapshots, comparison, events=events, seconds=seconds, killed=killed)

    async def _outcome(
        self,
        routes: Sequence[_Route],
        snapshots: Sequence[Snapshot],
        comparison: PresetComparison,
        *,
        events: int,
        seconds: float,
        killed: Sequence[str],
    ) -> Outcome:
        found_sums: list[Sum] = []
        found_checks: list[Check] = []
        all_arrivals: dict[str, Arrivals] = {}
        for route, snapshot in zip(routes, snapshots, strict=True):
            title, observed = route.destination.title, route.observer.observed
            arrivals = await read_arrivals(route.address, user_prefix=route.destination.user_prefix)
            all_arrivals[title] = arrivals
            found_sums += sums(title, route.truth, observed, arrivals, snapshot)
            found_checks += checks(title, route.truth, observed, arrivals, comparison)
            if not killed and not arrivals.faults:
                ports = [self._ports[name] for name in (route.destination.processor_name, route.destination.sink_name)]
                found_checks.append(counter_check(title, await read_counters(ports), route.truth))
        return Outcome(
            sums=found_sums,
            checks=found_checks,
            comparison=comparison,
            arrivals=all_arrivals,
            preset=self.preset,
            events=events,
            seconds=seconds,
            redelivered=sum(_redelivered(route.observer.observed) for route in routes),
            killed=killed,
        )

    @asynccontextmanager
    async def _route(self, destination: DemoDestination, progress: DemoProgress) -> AsyncIterator[_Route]:
        names, window = destination.names, Window()
        observer = Observer(
            bootstrap_servers=self.bootstrap_servers,
            destination=destination.destination,
            names=names,
            partitions=self.partitions,
        )
        try:
            async with watching(
                bootstrap_servers=self.bootstrap_servers,
                title=destination.title,
                names=names,
                partitions=self.partitions,
                window=window,
                observer=observer,
                on_snapshot=partial(progress.show, destination.title),
            ) as watch:
                yield _Route(
                    destination=destination,
                    truth=Truth(
                        destination=destination.destination,
                        preset=self.preset.value,
                        partitions=self.partitions,
                        id_of_body=content_id,
                    ),
                    window=window,
                    observer=observer,
                    watch=watch,
                    address=self._stand_ins[destination.stand_in_name],
                )
        finally:
            observer.close()

    def addresses(self) -> dict[str, str]:
        """Return the addresses and topics that a user can look at, by name."""
        names = self.destinations[0].names
        shown = {
            "Kafka": self.bootstrap_servers,
            "raw topic": names.raw_topic,
            "dead-letter topic": names.dead_letter_topic,
        }
        for each in self.destinations:
            address = self._stand_ins.get(each.stand_in_name, "")
            shown |= {
                f"{each.title} records topic": each.names.records_topic,
                f"{each.title} stand-in": f"{address}{each.path}",
                f"{each.title} secret": each.secret[1],
                f"{each.title} ledger": f"{address}/ledger",
            }
        return shown | {f"{name} metrics": f"http://127.0.0.1:{port}/metrics" for name, port in self._ports.items()}

    async def _faults(self, routes: Sequence[_Route], events: int, progress: DemoProgress) -> list[str]:
        if not self.faults:
            return []
        watched = [(route.destination, route.watch) for route in routes]
        return await kill_each_worker_once(self.children, watched, events=events, say=progress.say)

    async def _start(self, progress: DemoProgress) -> None:
        titles = " and ".join(each.title for each in self.destinations)
        progress.say(f"embedded broker at {self.bootstrap_servers}; starting the stand-ins of {titles} and the workers")
        faults = ["--fault-seed", str(self.seed), "--fault-rate", str(FAULT_RATE)] if self.faults else []
        for each in self.destinations:
            await self._start_worker(each, each.processor_name, each.processor)
            announcement = await self.children.start_and_listen(
                each.stand_in_name, [each.stand_in, *faults], self.environment
            )
            self._stand_ins[each.stand_in_name] = orjson.loads(announcement)["address"]
            await self._start_worker(each, each.sink_name, each.sink)
        try:
            async with asyncio.timeout(_READY_SECONDS), asyncio.TaskGroup() as group:
                watching_children = group.create_task(self.children.watch())
                await asyncio.gather(*(until_ready(port) for port in self._ports.values()))
                watching_children.cancel()
        except TimeoutError as error:
            raise DemoError(f"the workers are not ready after {_READY_SECONDS} s") from error

    async def _start_worker(self, destination: DemoDestination, name: str, arguments: Sequence[str]) -> None:
        port = self._ports[name] = _free_port()
        environment = self._worker_environment(destination, port)
        await self.children.start(name, ["pipeline", "worker", *arguments], environment)

    def _worker_environment(self, destination: DemoDestination, port: int) -> dict[str, str]:
        own = {
            **_SETTINGS,
            **destination.environment(self.preset),
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "HTTP_PORT": str(port),
        }
        if address := self._stand_ins.get(destination.stand_in_name):
            own[destination.endpoint_setting] = f"{address}{destination.path}"
        return {**self.environment, **{f"PIPELINE_{name}": value for name, value in own.items()}}


def _is_over(route: _Route, snapshot: Snapshot) -> bool:
    return snapshot.settled() and sum(snapshot.raw.high.values()) == route.truth.written


async def _any_snapshot(watches: Sequence[Watch]) -> None:
    """Wait for the next snapshot of any destination."""
    waiting = [asyncio.create_task(watch.next_snapshot()) for watch in watches]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def _redelivered(observed: Observed) -> int:
    return observed.records - sum(len(counts) - counts.count(0) for counts in observed.forwarded.values())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
