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
from tests.chaos.destination_faults import break_destination
from tests.chaos.destinations import DESTINATIONS
from tests.chaos.disruptions import disrupt, kill_at_random
from tests.chaos.ledger import Ledger
from tests.chaos.proxy import ProxiedListener, Proxy
from tests.chaos.reckoning import reckon
from tests.chaos.recovery import first_batch
from tests.chaos.sampler import SampleError, Sampler, create_topics
from tests.chaos.settings import PARTITIONS, environment
from tests.chaos.stage import Side, Stage
from tests.chaos.traffic import chaos_traffic
from tests.chaos.writer import Writer
from tests.kafka_server import KafkaServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from tests.chaos.destinations import ChaosDestination
    from tests.chaos.plan import Form
    from tests.chaos.reckoning import Reckoning

_HEAP_MEGABYTES: Final = 768
_SAMPLE_SECONDS: Final = 0.3
_DRAIN_SECONDS: Final = 90.0
_SPARED: Final = 0.1
_SPARED_SECONDS: Final = 30.0
_FASTEST: Final = 50_000.0
_PROGRESS_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that the report needs. ``reckonings`` and ``commits`` are in the order of the stage's sides."""

    stage: Stage
    reckonings: Sequence[Reckoning]
    commits: Sequence[int]
    unsettled: int
    seconds: float


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
        for side in stage.sides:
            await asyncio.to_thread(side.sampler.sample)
        commits = [await asyncio.to_thread(side.sampler.read_commits) for side in stage.sides]
        _complete(stage)
        return Outcome(
            stage=stage,
            reckonings=[reckon(side.ledger) for side in stage.sides],
            commits=commits,
            unsettled=unsettled,
            seconds=time.monotonic() - started,
        )


@asynccontextmanager
async def _staged(form: Form, folder: Path, tell: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Start everything, and leave no process behind."""
    async with AsyncExitStack() as stack:
        proxy = Proxy()
        stack.push_async_callback(proxy.stop)
        port = await proxy.start()
        listener = ProxiedListener(advertised_port=port)
        kafka = stack.enter_context(KafkaServer(heap_megabytes=_HEAP_MEGABYTES, properties=listener.properties))
        stack.callback(shutil.copyfile, kafka.log_file, folder / "kafka.log")
        proxy.upstream_port = listener.port
        create_topics(kafka.bootstrap_servers, [each.names for each in DESTINATIONS], PARTITIONS)
        sides = [await _side(each, kafka, stack) for each in DESTINATIONS]
        writer = Writer(
            kafka.bootstrap_servers,
            DESTINATIONS[0].names.raw,
            {side.destination.destination: side.ledger for side in sides},
            chaos_traffic(seed=form.seed, events=form.events, destinations=[each.destination for each in DESTINATIONS]),
            partitions=PARTITIONS,
        )
        stack.callback(writer.stop)
        environments = {
            role: environment(port, side.stand_in.endpoint, side.destination)
            for side in sides
            for role in side.destination.roles
        }
        crew = Crew(folder=folder, environment=environments.__getitem__, tell=tell, roles=tuple(environments))
        stack.push_async_callback(crew.kill_all)
        crew.start()
        writer.start()
        await crew.all_ready()
        tell(f"Kafka, {len(crew.slots)} workers and {len(sides)} destinations are running")
        yield Stage(
            form=form,
            chance=Random(form.seed),
            kafka=kafka,
            proxy=proxy,
            sides=sides,
            crew=crew,
            writer=writer,
            tell=tell,
        )


async def _side(destination: ChaosDestination, kafka: KafkaServer, stack: AsyncExitStack) -> Side:
    """Start the stand-in of a destination, and observe its topics and groups."""
    ledger = Ledger(PARTITIONS)
    stand_in = destination.stand_in(ledger)
    await stand_in.start()
    stack.push_async_callback(stand_in.stop)
    sampler = Sampler(
        bootstrap_servers=kafka.bootstrap_servers,
        destination=destination,
        partitions=PARTITIONS,
        ledger=ledger,
    )
    stack.callback(sampler.close)
    return Side(destination=destination, stand_in=stand_in, sampler=sampler)


async def _break_everything(stage: Stage) -> None:
    stage.writer.per_second = stage.form.events / stage.form.chaos_seconds
    stage.writer.running.set()
    stage.go.set()
    sparing = asyncio.create_task(_spare(stage))
    try:
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(kill_at_random(stage))
            lanes.create_task(disrupt(stage))
            for side in stage.sides:
                lanes.create_task(break_destination(stage, side))
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
    for side in stage.sides:
        side.stand_in.faults.clear()
    stage.proxy.heal()
    stage.writer.per_second = _FASTEST
    deadline = time.monotonic() + _DRAIN_SECONDS
    while not await asyncio.to_thread(stage.writer.done.wait, _SAMPLE_SECONDS):
        if time.monotonic() > deadline:
            break
    stage.writer.check()
    await stage.crew.all_ready()
    samples = stage.samples
    while stage.samples < samples + 2 or stage.lag > 0:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(_SAMPLE_SECONDS)
    return stage.lag


async def _sample(stage: Stage) -> None:
    while True:
        for side in stage.sides:
            try:
                await asyncio.to_thread(side.sampler.sample)
            except (KafkaException, SampleError) as error:  # down on purpose; the next sample checks the same and more
                side.unsampled[str(error)] += 1
            except Exception as error:
                stage.broken.append(f"Kafka is not sampled any more: {error!r}")
                raise
        await asyncio.sleep(_SAMPLE_SECONDS)


async def _tell_progress(stage: Stage) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        stage.tell(
            f"— {stage.writer.written:,} of {stage.form.events:,} written, {stage.writer.stored:,} stored; "
            + "; ".join(_progress(side) for side in stage.sides)
        )


def _progress(side: Side) -> str:
    ledger = side.ledger
    return (
        f"{side.destination.title}: {len(ledger.first_accepted):,} ids accepted, lag {side.sampler.lag:,}, "
        f"{ledger.samples} samples ({side.unsampled.total()} failed), {len(ledger.commits_ahead)} commits ahead"
    )


def _complete(stage: Stage) -> None:
    """Add to each start of a worker when its first record was settled."""
    for side in stage.sides:
        for recovery in stage.crew.recoveries:
            if recovery.role is side.destination.processor:
                recovery.first_at = first_batch(recovery.log)
            elif recovery.role is side.destination.sink:
                recovery.first_at = side.stand_in.first_accepted.get(recovery.credential)
