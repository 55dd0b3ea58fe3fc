"""The running pipeline under load, to one or both destinations, with a real Prometheus that scrapes it."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from pipeline.kafka.producer import BatchProducer, OutboundMessage
from pipeline.local.broker import EmbeddedBroker
from pipeline.local.stand_ins.faults import Refuse, RefuseRecords
from pipeline.local.traffic import traffic
from pipeline.sinks.segment.body import timestamp
from tests.deploy.prometheus import running_prometheus
from tests.integration.brokers import Broker, BrokerKind
from tests.integration.pipeline_processes import MIXPANEL_ROLES, SEGMENT_ROLES, running_both, running_pipeline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pipeline.local.traffic_truth import TrafficMessage
    from tests.deploy.prometheus import Prometheus
    from tests.integration.pipeline_processes import Pipeline

PARTITIONS: Final = 4
EVENTS_A_SECOND: Final = 300
SEED: Final = 7
APPS: Final = 6
ONE_IN_SIXTEEN: Final = Refuse(text='"messageId":"0')
"""Makes Segment refuse the records whose id starts with 0, always."""
ONE_IN_SIXTEEN_OF_MIXPANEL: Final = RefuseRecords(text='"$insert_id":"0')
_TICK_SECONDS: Final = 0.2
_SECONDS_OF_AN_EVENT: Final = {"timestamp", "event.timestamp", "event_timestamp"}
_MOMENT_OF_AN_EVENT: Final = {"datetime", "event.datetime", "event_datetime"}
RULES: Final = """\
rules:
  - name: drop opens on trial
    when: {action: opened}
    then: drop
    shadow: true
  - name: pushes to everybody
    when: {channel: push, action: sent}
    then: drop
  - name: a tenth of what was shown
    when: {channel: in_app, action: displayed}
    then: {sample: {percent: 10, by: user}}
  - name: the rest of delivery
    when: {category: delivery}
    then: drop
default: keep
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A pipeline under load, and the Prometheus that scrapes it."""

    pipeline: Pipeline
    prometheus: Prometheus


@asynccontextmanager
async def live(program: str, folder: Path, *, both: bool = False, **settings: str) -> AsyncIterator[Live]:
    """Run a processor and a sink under load, scraped by Prometheus: Segment's, or those of both destinations.

    The embedded broker supports one member per group.
    """
    rules = folder / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    with EmbeddedBroker() as embedded:
        broker = Broker(kind=BrokerKind.EMBEDDED, bootstrap_servers=embedded.bootstrap_servers, embedded=embedded)
        chosen = {
            "RULES_FILE": str(rules),
            "TRACKED_USERS_SECRET": "known to nobody but this test, and used nowhere else",
            "TRACKED_USERS_TOPIC": broker.create_topic("tracked-users", PARTITIONS),
            "MESSAGE_CATALOGUE": "true",
            "MESSAGE_CATALOGUE_TOPIC": broker.create_topic("message-catalogue", 1),
            **(_of_mixpanel(broker, rules) if both else {}),
            **settings,
        }
        running, roles = (running_both, SEGMENT_ROLES + MIXPANEL_ROLES) if both else (running_pipeline, SEGMENT_ROLES)
        async with running(broker, folder, partitions=PARTITIONS, **chosen) as pipeline:
            workers = [await pipeline.start(role) for role in roles]
            for worker in workers:
                await worker.said("/readyz", '"ok": true')
            targets = [(worker.role.value, worker.http_port) for worker in workers]
            async with running_prometheus(program, folder, targets) as prometheus:
                load = asyncio.create_task(_load(pipeline))
                try:
                    yield Live(pipeline=pipeline, prometheus=prometheus)
                finally:
                    load.cancel()
                    await asyncio.wait({load})
                if not load.cancelled() and load.exception() is not None:
                    load.result()


def _of_mixpanel(broker: Broker, rules: Path) -> dict[str, str]:
    return {
        "MIXPANEL_RULES_FILE": str(rules),
        "MIXPANEL_TRACKED_USERS_TOPIC": broker.create_topic("mixpanel-tracked-users", PARTITIONS),
        "MIXPANEL_MESSAGE_CATALOGUE_TOPIC": broker.create_topic("mixpanel-message-catalogue", 1),
    }


async def _load(pipeline: Pipeline) -> None:
    """Write events of the present time until cancelled."""
    producer = BatchProducer({"bootstrap_servers": pipeline.broker.bootstrap_servers})
    await producer.start()
    chance = random.Random(SEED)
    endless = _steady_traffic()
    try:
        while True:
            started = time.monotonic()
            written: dict[int, list[OutboundMessage]] = {}
            for message in itertools.islice(endless, round(EVENTS_A_SECOND * _TICK_SECONDS)):
                partition = hash(message.key) % PARTITIONS
                written.setdefault(partition, []).append(OutboundMessage(message.key, _now(message, chance), None, []))
            await asyncio.gather(
                *(producer.write(pipeline.raw_topic, partition, outbound) for partition, outbound in written.items())
            )
            await asyncio.sleep(max(0.0, started + _TICK_SECONDS - time.monotonic()))
    finally:
        await producer.stop()


def _steady_traffic() -> Iterator[TrafficMessage]:
    """Return mixed traffic of several apps that are at different points of their campaigns, so that it is steady."""
    apps = [
        itertools.islice(
            itertools.chain.from_iterable(traffic(seed=seed, events=100_000) for seed in itertools.count(app, APPS)),
            app * 1_500,
            None,
        )
        for app in range(APPS)
    ]
    return itertools.chain.from_iterable(zip(*apps, strict=True))


def _now(message: TrafficMessage, chance: random.Random) -> bytes | None:
    """Return an event of the generator with a time just past; a message that is no event stays as it is."""
    try:
        body = orjson.loads(message.value or b"")
    except orjson.JSONDecodeError:
        return message.value
    moment = time.time() - chance.expovariate(4.0)
    return orjson.dumps(_moved(body, moment))


def _moved(value: Any, moment: float) -> Any:
    if isinstance(value, list):
        return [_moved(each, moment) for each in value]
    if not isinstance(value, dict):
        return value
    moved = {name: _moved(each, moment) for name, each in value.items()}
    for name in moved:
        if name in _SECONDS_OF_AN_EVENT:
            moved[name] = int(moment)
        if name in _MOMENT_OF_AN_EVENT:
            moved[name] = timestamp(moment)
    return moved
