"""One run, from an empty Kafka to the result."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from tests.chaos.crew import Crew
from tests.chaos.disruptions import disrupt, kill_at_random
from tests.chaos.ledger import Ledger
from tests.chaos.proxy import ProxiedListener, Proxy
from tests.chaos.reckoning import reckon
from tests.chaos.recovery import first_batch
from tests.chaos.sampler import Names, SampleError, Sampler
from tests.chaos.segment import ChaosSegment
from tests.chaos.segment_faults import break_segment
from tests.chaos.stage import POLL_INTERVAL_SECONDS, REQUEST_TIMEOUT_SECONDS, SESSION_SECONDS, Stage
from tests.chaos.traffic import PRESET, chaos_traffic
from tests.chaos.writer import Writer
from tests.kafka_server import KafkaServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.chaos.plan import Form
    from tests.chaos.reckoning import Reckoning

PARTITIONS: Final = 6
MAX_POLL_RECORDS: Final = 200
REQUEST_RECORDS: Final = 250
LANES: Final = 2
REPEATED_PER_DISTURBANCE: Final = LANES * REQUEST_RECORDS + PARTITIONS * MAX_POLL_RECORDS
"""One request per lane, and one batch in hand per partition."""

_HEAP_MEGABYTES: Final = 768
_SAMPLE_SECONDS: Final = 0.3
_DRAIN_SECONDS: Final = 90.0
_SPARED: Final = 0.1
_SPARED_SECONDS: Final = 30.0
_FASTEST: Final = 50_000.0
_PROGRESS_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that the report needs."""

    stage: Stage
    reckoning: Reckoning
    commits: int
    unsettled: int
    seconds: float


def environment(kafka_port: int, segment_endpoint: str, names: Names) -> dict[str, str]:
    """Return what a deployment would set, with short times."""
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka_port}",
        "RAW_TOPIC": names.raw,
        "RECORDS_TOPIC": names.records,
        "DEAD_LETTER_TOPIC": names.letters,
        "PROCESSOR_GROUP": names.processor_group,
        "SEGMENT_SINK_GROUP": names.sink_group,
        "RULES_PRESET": PRESET,
        "TRACKED_USERS_SECRET": "a secret of the chaos",
        "TRACKED_USERS_TOPIC": names.tracked_users,
        "SEGMENT_ENDPOINT": segment_endpoint,
        "SEGMENT_FLUSH_INTERVAL_SECONDS": "0.1",
        "SEGMENT_RETRY_BASE_SECONDS": "0.05",
        "SEGMENT_RETRY_MAX_SECONDS": "0.5",
        "SEGMENT_RETRY_AFTER_CAP_SECONDS": "1",
        "SEGMENT_REQUEST_TIMEOUT_SECONDS": str(REQUEST_TIMEOUT_SECONDS),
        "SEGMENT_MAX_BATCH_RECORDS": str(REQUEST_RECORDS),
        "SEGMENT_LANES": str(LANES),
        "HTTP_HOST": "127.0.0.1",
        "SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
        "MAX_POLL_INTERVAL_SECONDS": str(POLL_INTERVAL_SECONDS),
        "MAX_POLL_RECORDS": str(MAX_POLL_RECORDS),
        "MAX_MESSAGES_IN_HAND": "400",
        "COMMIT_INTERVAL_SECONDS": "0.5",
        "REVOKE_TIMEOUT_SECONDS": "1",
        "SHUTDOWN_TIMEOUT_SECONDS": "10",
    }
    return {f"PIPELINE_{name}": value for name, value in settings.items()}


async def run(form: Form, folder: Path, tell: Callable[[str], None]) -> Outcome:
    """Inject all faults, let everything recover, and evaluate.

    Raises:
        TimeoutError: it did not end within the form's limit.
    """
    started = time.monotonic()
    async with asyncio.timeout(form.limit_seconds), _staged(form, folder, tell) as stage:
        sampling = asyncio.create_task(_sample(stage))
        telling = asyncio.create_task(_tell_progress(stage))
        try:
            await _break_everything(stage)
            unsettled = await _heal(stage)
            await stage.crew.close()
        finally:
            sampling.cancel()
            telling.cancel()
            await asyncio.gather(sampling, telling, return_exceptions=True)
        await asyncio.to_thread(stage.sampler.sample)
        commits = await asyncio.to_thread(stage.sampler.read_commits)
        _complete(stage)
        return Outcome(
            stage=stage,
            reckoning=reckon(stage.sampler.ledger),
            commits=commits,
            unsettled=unsettled,
            seconds=time.monotonic() - started,
        )


@asynccontextmanager
async def _staged(form: Form, folder: Path, tell: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Start everything, and leave no process behind."""
    ledger, names = Ledger(PARTITIONS), Names()
    async with AsyncExitStack() as stack:
        proxy = Proxy()
        stack.push_async_callback(proxy.stop)
        port = await proxy.start()
        listener = ProxiedListener(advertised_port=port)
        kafka = stack.enter_context(KafkaServer(heap_megabytes=_HEAP_MEGABYTES, properties=listener.properties))
        stack.callback(shutil.copyfile, kafka.log_file, folder / "kafka.log")
        proxy.upstream_port = listener.port
        segment = ChaosSegment(ledger)
        await segment.start()
        stack.push_async_callback(segment.stop)
        sampler = Sampler(bootstrap_servers=kafka.bootstrap_servers, names=names, partitions=PARTITIONS, ledger=ledger)
        stack.callback(sampler.close)
        messages = chaos_traffic(seed=form.seed, events=form.events)
        writer = Writer(kafka.bootstrap_servers, names.raw, ledger, messages)
        stack.callback(writer.stop)
        crew = Crew(folder=folder, environment=environment(port, segment.endpoint, names), tell=tell)
        stack.push_async_callback(crew.kill_all)
        crew.start()
        writer.start()
        await crew.all_ready()
        tell(f"Kafka, {len(crew.slots)} workers and the Segment stand-in are running")
        yield Stage(
            form=form,
            chance=Random(form.seed),
            kafka=kafka,
            proxy=proxy,
            segment=segment,
            crew=crew,
            writer=writer,
            sampler=sampler,
            names=names,
            tell=tell,
        )


async def _break_everything(stage: Stage) -> None:
    stage.writer.per_second = stage.form.events / stage.form.chaos_seconds
    stage.writer.running.set()
    stage.go.set()
    sparing = asyncio.create_task(_spare(stage))
    try:
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(kill_at_random(stage))
            lanes.create_task(disrupt(stage))
            lanes.create_task(break_segment(stage))
    finally:
        sparing.cancel()


async def _spare(stage: Stage) -> None:
    """Make the last of the traffic last as long as the faults: a fault without traffic tests nothing."""
    while True:
        left = stage.form.events - stage.writer.written
        if left < _SPARED * stage.form.events:
            stage.writer.per_second = max(1.0, left / _SPARED_SECONDS)
        await asyncio.sleep(_SAMPLE_SECONDS)


async def _heal(stage: Stage) -> int:
    """End all faults, write the rest, and wait until all is committed; return how many messages are not."""
    stage.tell("faults end; the rest is written and settled")
    stage.segment.faults.clear()
    stage.proxy.heal()
    stage.writer.per_second = _FASTEST
    deadline = time.monotonic() + _DRAIN_SECONDS
    while not await asyncio.to_thread(stage.writer.done.wait, _SAMPLE_SECONDS):
        if time.monotonic() > deadline:
            break
    stage.writer.check()
    await stage.crew.all_ready()
    samples = stage.sampler.ledger.samples
    while stage.sampler.ledger.samples < samples + 2 or stage.sampler.lag > 0:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(_SAMPLE_SECONDS)
    return stage.sampler.lag


async def _sample(stage: Stage) -> None:
    while True:
        try:
            await asyncio.to_thread(stage.sampler.sample)
        except (KafkaException, SampleError) as error:  # down on purpose; the next sample checks the same and more
            stage.unsampled[str(error)] += 1
        except Exception as error:
            stage.broken.append(f"Kafka is not sampled any more: {error!r}")
            raise
        await asyncio.sleep(_SAMPLE_SECONDS)


async def _tell_progress(stage: Stage) -> None:
    ledger = stage.sampler.ledger
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        stage.tell(
            f"— {stage.writer.written:,} of {stage.form.events:,} written, {stage.writer.stored:,} stored,"
            f" {len(ledger.first_accepted):,} ids accepted, lag {stage.sampler.lag:,}, {ledger.samples} samples"
            f" ({stage.unsampled.total()} failed), {len(ledger.commits_ahead)} commits ahead"
        )


def _complete(stage: Stage) -> None:
    """Add to each start of a worker when its first record was settled."""
    for recovery in stage.crew.recoveries:
        recovery.first_at = (
            first_batch(recovery.log)
            if recovery.role == "processor"
            else stage.segment.first_accepted.get(recovery.key)
        )
