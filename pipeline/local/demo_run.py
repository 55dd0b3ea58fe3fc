"""One run of the demo: start the processes, write the traffic, wait until all of it has arrived, compare the counts."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, field
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
from pipeline.local.segment_stand_in import WRITE_KEY
from pipeline.local.traffic import traffic
from pipeline.local.traffic_truth import Truth
from pipeline.local.traffic_window import Window
from pipeline.local.traffic_writer import TrafficWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.presets import Preset
    from pipeline.local.demo_children import Children
    from pipeline.local.demo_progress import DemoProgress
    from pipeline.local.demo_watch import Names, Snapshot, Watch

SEGMENT, PROCESSOR, SINK = "segment-stand-in", "processor", "segment-sink"
_READY_SECONDS: Final = 60
_SETTINGS: Final[Mapping[str, str]] = {
    "SEGMENT_WRITE_KEY": WRITE_KEY,
    "SEGMENT_FLUSH_INTERVAL_SECONDS": "0.2",
    "SEGMENT_RETRY_MAX_SECONDS": "2",
    "COMMIT_INTERVAL_SECONDS": "0.2",
    "SESSION_TIMEOUT_SECONDS": "6",  # on the embedded broker the successor of a killed worker waits this long
    "HTTP_HOST": "127.0.0.1",
    "LOG_FORMAT": "console",
}


@dataclass(slots=True, kw_only=True)
class DemoRun:
    """All steps from an empty broker to the closing counts."""

    bootstrap_servers: str
    names: Names
    partitions: int
    children: Children
    environment: Mapping[str, str]
    preset: Preset
    seed: int
    faults: bool
    _stand_in: str = field(init=False, default="")
    _ports: dict[str, int] = field(init=False, default_factory=dict)

    async def execute(self, events: int, progress: DemoProgress) -> Outcome:
        """Run until all events have arrived.

        Raises:
            DemoError: the run cannot go on; alone or in an exception group.
        """
        await self._start(progress)
        truth = Truth(
            preset=self.preset.value,
            partitions=self.partitions,
            id_of_body=content_id,
        )
        window, comparison = Window(), PresetComparison()
        observer = Observer(
            bootstrap_servers=self.bootstrap_servers,
            raw_topic=self.names.raw_topic,
            records_topic=self.names.records_topic,
            dead_letter_topic=self.names.dead_letter_topic,
            partitions=self.partitions,
        )
        try:
            async with watching(
                bootstrap_servers=self.bootstrap_servers,
                names=self.names,
                partitions=self.partitions,
                window=window,
                observer=observer,
                on_snapshot=progress.show,
            ) as watch:
                begun = time.monotonic()
                writer = TrafficWriter(
                    bootstrap_servers=self.bootstrap_servers,
                    topic=self.names.raw_topic,
                    truth=truth,
                    window=window,
                    wait_for_room=watch.next_snapshot,
                )
                messages = comparison.watching(traffic(seed=self.seed, events=events))
                async with asyncio.TaskGroup() as group:
                    background = [group.create_task(watch.run()), group.create_task(self.children.watch())]
                    killing = group.create_task(self._faults(watch, events, progress))
                    async with writer:
                        await writer.write(messages)
                    killed = await killing
                    snapshot = await watch.until(lambda each: each.settled() and _written(each) == truth.written)
                    seconds = time.monotonic() - begun
                    for task in background:
                        task.cancel()
        finally:
            observer.close()
        arrivals = await read_arrivals(self._stand_in)
        found = checks(truth, observer.observed, arrivals, comparison)
        if not killed and not arrivals.faults:
            found.append(counter_check(await read_counters(self._ports.values()), truth, arrivals))
        return Outcome(
            sums=sums(truth, observer.observed, arrivals, snapshot),
            checks=found,
            comparison=comparison,
            arrivals=arrivals,
            preset=self.preset,
            events=events,
            seconds=seconds,
            redelivered=observer.observed.records
            - sum(len(c) - c.count(0) for c in observer.observed.forwarded.values()),
            killed=killed,
        )

    def addresses(self) -> dict[str, str]:
        """Return the addresses and topics that a user can look at, by name."""
        pages = {f"{name} metrics": f"http://127.0.0.1:{port}/metrics" for name, port in self._ports.items()}
        return {
            "Kafka": self.bootstrap_servers,
            "raw topic": self.names.raw_topic,
            "records topic": self.names.records_topic,
            "dead-letter topic": self.names.dead_letter_topic,
            "Segment stand-in": f"{self._stand_in}/v1/batch",
            "its write key": WRITE_KEY,
            "its ledger": f"{self._stand_in}/ledger",
            **pages,
        }

    async def _faults(self, watch: Watch, events: int, progress: DemoProgress) -> list[str]:
        if not self.faults:
            return []
        return await kill_each_worker_once(
            self.children, watch, events=events, processor=PROCESSOR, sink=SINK, say=progress.say
        )

    async def _start(self, progress: DemoProgress) -> None:
        progress.say(f"embedded broker at {self.bootstrap_servers}; starting the Segment stand-in and the workers")
        await self._start_worker(PROCESSOR)
        faults = ["--fault-seed", str(self.seed), "--fault-rate", str(FAULT_RATE)] if self.faults else []
        announcement = await self.children.start_and_listen(
            SEGMENT, ["pipeline.local.segment_stand_in", *faults], self.environment
        )
        self._stand_in = orjson.loads(announcement)["address"]
        await self._start_worker(SINK)
        try:
            async with asyncio.timeout(_READY_SECONDS), asyncio.TaskGroup() as group:
                watching_children = group.create_task(self.children.watch())
                await asyncio.gather(*(until_ready(port) for port in self._ports.values()))
                watching_children.cancel()
        except TimeoutError as error:
            raise DemoError(f"the workers are not ready after {_READY_SECONDS} s") from error

    async def _start_worker(self, role: str) -> None:
        port = self._ports[role] = _free_port()
        await self.children.start(role, ["pipeline", "worker", role], self._worker_environment(port))

    def _worker_environment(self, port: int) -> dict[str, str]:
        own = {
            **_SETTINGS,
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "RAW_TOPIC": self.names.raw_topic,
            "RECORDS_TOPIC": self.names.records_topic,
            "DEAD_LETTER_TOPIC": self.names.dead_letter_topic,
            "PROCESSOR_GROUP": self.names.processor_group,
            "SEGMENT_SINK_GROUP": self.names.segment_sink_group,
            "RULES_PRESET": self.preset.value,
            "TRACKED_USERS_SECRET": "not a secret: the demo's",
            "TRACKED_USERS_TOPIC": self.names.tracked_users_topic,
            "HTTP_PORT": str(port),
        }
        if self._stand_in:
            own["SEGMENT_ENDPOINT"] = f"{self._stand_in}/v1/batch"
        return {**self.environment, **{f"PIPELINE_{name}": value for name, value in own.items()}}


def _written(snapshot: Snapshot) -> int:
    return sum(snapshot.raw.high.values())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
