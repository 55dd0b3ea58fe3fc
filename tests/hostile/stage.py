"""What every part shares: a Kafka, separate topics, workers that are restarted, and their memory."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource

from pipeline.settings.choices import Role
from tests.chaos.crew import Crew
from tests.chaos.sampler import Names
from tests.hostile.peak_memory import peak_of
from tests.hostile.planted import TRACEBACK, leaks
from tests.integration.brokers import Broker, BrokerKind
from tests.integration.clients import eventually, watermarks
from tests.memory_bound import UNPACKED_BYTES, WORKER_BYTES, Limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.hostile.results import CaseResult
    from tests.integration.pipeline_processes import WorkerProcess
    from tests.kafka_server import KafkaServer

LIMITS: Final = Limits(messages_in_hand=100, poll_records=100, fetch_bytes=65_536, bytes_in_hand=2_000_000)
SESSION_SECONDS: Final = 3
MOST_OWN_ENDS: Final = 2
PAGES: Final = ("/readyz", "/healthz", "/metrics")
LETTER_PARTITIONS: Final = 4
_LOOK_SECONDS: Final = 0.05
_POLL_SECONDS: Final = 0.25
_GROUP_SECONDS: Final = 30.0
_READY_SECONDS: Final = 60.0


@dataclass(slots=True, kw_only=True)
class Grounds:
    """One Kafka for everything, the folder with its logs, and a folder for the logs of workers."""

    kafka: KafkaServer
    stored: Path
    folder: Path
    tell: Callable[[str], None]
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def broker(self) -> Broker:
        """Return the Kafka as the integration tests use it."""
        return Broker(kind=BrokerKind.REAL, bootstrap_servers=self.kafka.bootstrap_servers, server=self.kafka)

    @property
    def servers(self) -> str:
        """Return its address."""
        return self.kafka.bootstrap_servers

    def names(self) -> Names:
        """Return unused names of topics and groups."""
        prefix = f"hostile-{next(self._numbers)}"
        return Names(
            raw=f"{prefix}.raw",
            records=f"{prefix}.records",
            letters=f"{prefix}.letters",
            processor_group=f"{prefix}-processor",
            sink_group=f"{prefix}-sink",
        )


RAW: Final = {
    "retention_ms": "-1",
    "max_message_bytes": "100000000",
    "message_timestamp_type": "CreateTime",
    "message_timestamp_before_max_ms": str(2**63 - 1),
    "message_timestamp_after_max_ms": str(2**63 - 1),
}
RECORDS: Final = {"retention_ms": "-1", "max_message_bytes": "100000000", "message_timestamp_type": "LogAppendTime"}
LETTERS: Final = {"retention_ms": "-1", "max_message_bytes": "20000000", "message_timestamp_type": "LogAppendTime"}


def create_topics(
    grounds: Grounds,
    names: Names,
    partitions: int,
    *,
    raw: Mapping[str, str] = RAW,
    records: Mapping[str, str] = RECORDS,
    letters: Mapping[str, str] = LETTERS,
) -> None:
    """Create the three topics, and wait until they can be used."""
    for name, count, settings in (
        (names.raw, partitions, raw),
        (names.records, partitions, records),
        (names.letters, LETTER_PARTITIONS, letters),
    ):
        grounds.broker.create_topic_named(name, count, **settings)
        _await_topic(grounds.servers, name, count)


def _await_topic(servers: str, name: str, partitions: int) -> None:
    """Wait until every partition of a topic has a leader that answers: brokers learn of a new topic with a delay."""
    deadline = time.monotonic() + _READY_SECONDS
    while len(watermarks(servers, name)) < partitions:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} has no {partitions} partitions")
        time.sleep(_LOOK_SECONDS)


def environment(servers: str, endpoint: str, names: Names, more: Mapping[str, str]) -> dict[str, str]:
    """Return the configuration of a part's workers: small limits, short times, and all log levels."""
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        "RAW_TOPIC": names.raw,
        "RECORDS_TOPIC": names.records,
        "DEAD_LETTER_TOPIC": names.letters,
        "PROCESSOR_GROUP": names.processor_group,
        "SEGMENT_SINK_GROUP": names.sink_group,
        "SEGMENT_ENDPOINT": endpoint,
        "SEGMENT_FLUSH_INTERVAL_SECONDS": "0.05",
        "SEGMENT_RETRY_BASE_SECONDS": "0.05",
        "SEGMENT_RETRY_MAX_SECONDS": "0.2",
        "SEGMENT_RETRY_AFTER_CAP_SECONDS": "1",
        "SEGMENT_REQUEST_TIMEOUT_SECONDS": "2",
        "HTTP_HOST": "127.0.0.1",
        "LOG_LEVEL": "debug",
        "SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
        "DEAD_LETTER_MAX_SHARE": "1",
        "SHUTDOWN_TIMEOUT_SECONDS": "10",
        "MAX_MESSAGES_IN_HAND": str(LIMITS.messages_in_hand),
        "MAX_POLL_RECORDS": str(LIMITS.poll_records),
        "MAX_BYTES_IN_HAND": str(LIMITS.bytes_in_hand),
        "FETCH_MAX_BYTES": str(LIMITS.fetch_bytes),
        **more,
    }
    return {f"PIPELINE_{name}": value for name, value in settings.items()}


def allowed_bytes(batches: Iterable[tuple[int, int]]) -> int:
    """Return the bound of docs/operate/capacity.md for partitions that each have a largest batch and a largest message.

    A batch that is larger than a fetch is fetched whole.
    """
    total = WORKER_BYTES + UNPACKED_BYTES
    for batch_bytes, message_bytes in batches:
        limits = Limits(
            messages_in_hand=LIMITS.messages_in_hand,
            poll_records=LIMITS.poll_records,
            fetch_bytes=max(LIMITS.fetch_bytes, batch_bytes),
            bytes_in_hand=LIMITS.bytes_in_hand,
        )
        most = max(1, message_bytes)
        total += limits.of_partition(most) + limits.of_records(most, most)
    return total


@dataclass(slots=True, kw_only=True)
class Workers:
    """A crew, and the peak memory of all its workers, in bytes."""

    crew: Crew
    folder: Path
    peak_bytes: int = 0
    pages_seen: list[str] = field(default_factory=list)

    @property
    def present(self) -> list[WorkerProcess]:
        """Return the workers that are running."""
        workers = (slot.worker for slot in self.crew.slots)
        return [each for each in workers if each is not None and each.process.returncode is None]

    @property
    def own_ends(self) -> int:
        """Return how many workers have ended by themselves, or not cleanly."""
        return sum(slot.own_ends for slot in self.crew.slots) + len(self.crew.bad_stops)

    @property
    def are_given_up(self) -> bool:
        """Return whether a slot stays empty because its worker ends again and again."""
        return any(slot.own_ends >= MOST_OWN_ENDS for slot in self.crew.slots)

    async def answer(self) -> None:
        """Wait until every worker's page answers, or workers end again and again: a busy machine is slow."""
        clock = asyncio.get_running_loop()
        deadline = clock.time() + _READY_SECONDS
        while clock.time() < deadline:
            if self.are_given_up or await self._all_answer():
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _all_answer(self) -> bool:
        statuses = [(await worker.get("/healthz"))[0] for worker in self.present]
        return len(statuses) == len(self.crew.slots) and all(statuses)

    async def pages(self) -> list[str]:
        """Return the present status pages, and store them."""
        found = [(await worker.get(path))[1] for worker in self.present for path in PAGES]
        self.pages_seen += found
        return found

    def complaints(self) -> list[str]:
        """Return the errors that the workers have logged."""
        return [line for line in self.logs().splitlines() if '"level":"error"' in line]

    def endings(self) -> list[str]:
        """Return what is known of workers that have ended by themselves, or not cleanly."""
        return [*self.crew.own_ends, *self.crew.bad_stops, *self.crew.failed_starts]

    def logs(self) -> str:
        """Return everything that the workers have logged."""
        return "\n".join(each.read_text(errors="replace") for each in sorted(self.folder.glob("*.log")))

    def leaks(self) -> list[str]:
        """Return what was logged or shown and must not be, tracebacks included."""
        reported = "\n".join([self.logs(), *self.pages_seen])
        return [*leaks(reported, ("ChaosWorker",)), *(["a traceback"] if TRACEBACK in reported else [])]

    async def watch(self) -> None:
        """Poll the memory until cancelled."""
        while True:
            for worker in self.present:
                self.peak_bytes = max(self.peak_bytes, peak_of(worker.process.pid))
            await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def running_workers(
    grounds: Grounds,
    roles: Sequence[Role],
    settings: Mapping[str, str],
    *,
    name: str,
    most_own_ends: int = MOST_OWN_ENDS,
) -> AsyncIterator[Workers]:
    """Run one worker of each role, restart it when it ends by itself, and stop all cleanly at the end of the block."""
    folder = grounds.folder / name
    folder.mkdir(parents=True)
    crew = Crew(
        folder=folder,
        environment=lambda _: settings,
        tell=lambda _text: None,
        roles=roles,
        workers_of_a_role=1,
        most_own_ends=most_own_ends,
    )
    workers = Workers(crew=crew, folder=folder)
    crew.start()
    watching = asyncio.create_task(workers.watch())
    try:
        yield workers
        await workers.pages()
        await crew.close()
    finally:
        watching.cancel()
        await crew.kill_all()


async def as_they_end(
    plays: Iterable[Coroutine[object, object, list[CaseResult]]],
) -> AsyncGenerator[list[CaseResult]]:
    """Run coroutines side by side, and yield each result when it is available; leave nothing running."""
    tasks = [asyncio.create_task(each) for each in plays]
    try:
        for done in asyncio.as_completed(tasks):
            yield await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool], *, seconds: float, given_up: Callable[[], bool] = lambda: False) -> bool:
    """Wait until a condition holds; return False when it does not in time, or never will."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + seconds
    while not await asyncio.to_thread(condition):
        if clock.time() > deadline or given_up():
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def configure(servers: str, topic: str, settings: Mapping[str, str]) -> None:
    """Change settings of a topic, and wait until the broker reports them, which happens with a delay."""
    changes = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=changes)
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    admin.incremental_alter_configs([resource])[resource].result(_GROUP_SECONDS)
    deadline = time.monotonic() + _GROUP_SECONDS
    while not _are_reported(admin, topic, settings):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the settings of {topic} are not reported")
        time.sleep(_LOOK_SECONDS)


def _are_reported(admin: AdminClient, topic: str, settings: Mapping[str, str]) -> bool:
    asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
    reported = admin.describe_configs([asked])[asked].result(_GROUP_SECONDS)
    return all(reported[name].value == value for name, value in settings.items())


async def skip(servers: str, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Commit offsets for a group without members, as an operator does to skip a message."""
    partitions = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})

    def is_done() -> bool:
        request = ConsumerGroupTopicPartitions(group, partitions)
        try:
            admin.alter_consumer_group_offsets([request])[group].result(_GROUP_SECONDS)
        except KafkaException:  # a member that was killed stays in the group until its session ends
            return False
        return True

    await eventually(is_done, within_seconds=_GROUP_SECONDS)


def holds_of(metrics: Iterable[str]) -> list[str]:
    """Return the reasons for which a worker holds, from its metrics."""
    start, end = 'onesignal_pipeline_holding{reason="', '"} 1.0'
    lines = (line for page in metrics for line in page.splitlines())
    return sorted({line[len(start) : -len(end)] for line in lines if line.startswith(start) and line.endswith(end)})


ALL_ROLES: Final = (Role.PROCESSOR, Role.SEGMENT_SINK)
