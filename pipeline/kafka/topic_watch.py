"""Watch what a worker depends on: its topics, their settings, the connection to the brokers, and the clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, NodeNotReadyError, NoError, UnknownTopicOrPartitionError, for_code

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.broker_clock import CONTROLLER
from pipeline.kafka.connection_watch import ConnectionWatch
from pipeline.kafka.errors import TopicLostError
from pipeline.kafka.settings_watch import SettingsWatch
from pipeline.kafka.time_protocol import QuorumRequest, present_ms
from pipeline.kafka.topic_configuration import configuration_request, configured
from pipeline.kafka.topic_protocol import TopicsRequest, topic_id

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.kafka.broker_clock import BrokerClock
    from pipeline.kafka.connection import ConnectionOptions
    from pipeline.kafka.groups import KnownSource
    from pipeline.kafka.topics import FoundTopic

logger = structlog.get_logger(__name__)

CONFIRM_SECONDS: Final = 2.0
"""A topic counts as lost when two consecutive checks find it so: one broker may lag behind another."""
WRONG_SECONDS: Final = 15.0
"""The longest time between two checks while something is wrong."""
SILENT_CHECKS: Final = 2
"""Kafka counts as away after this many checks without an answer: a single connection may break at any time."""
AWAY: Final = (
    "Kafka does not answer: no events flow, none are lost, and the worker resumes when Kafka answers again; check the "
    "brokers, the network, and PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
)
_REQUEST_TIMEOUT_MS: Final = 15_000
_MISSING: Final = "was deleted"
_RECREATED: Final = "was deleted and recreated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTopic:
    """A topic at one check. `identity` is None if the broker reports none."""

    partitions: int
    identity: bytes | None


def find_lost(known: Mapping[str, SeenTopic], seen: Mapping[str, SeenTopic | None]) -> dict[str, str]:
    """Return what happened to each known topic that is no longer the same. Topics that were not seen are not judged."""
    lost = {}
    for name, now in seen.items():
        before = known[name]
        if now is None:
            lost[name] = _MISSING
        elif now.partitions < before.partitions or (
            before.identity is not None and now.identity is not None and now.identity != before.identity
        ):
            lost[name] = _RECREATED
    return lost


def describe_growth(
    known: Mapping[str, SeenTopic], seen: Mapping[str, SeenTopic | None], keyed: Collection[str]
) -> str | None:
    """Return which keyed topics have more partitions than a worker knows, and what to do; None if none has."""
    grown = [
        f"topic `{name}` has {now.partitions} partitions and had {known[name].partitions} when this worker started"
        for name, now in seen.items()
        if name in keyed and now is not None and now.partitions > known[name].partitions
    ]
    if not grown:
        return None
    return (
        f"{'; '.join(grown)}: this worker continues with the partitions that it knows and ignores the others, whose "
        "messages wait in Kafka. Give the raw and the records topic the same number of partitions, then restart "
        "every worker (docs/operate/topics.md, Adding partitions)"
    )


class TopicWatch:
    """Checks topics periodically.

    Added partitions are a `complaint`: the worker continues with those that it knows, and is not ready. So are settings
    of topics that lose messages, brokers that refuse new connections, a wrong clock, and a Kafka that does not answer.
    A topic that was deleted, or is another one of the same name, ends the worker.
    """

    def __init__(self, connection: ConnectionOptions, *, interval_seconds: float, clock: BrokerClock) -> None:
        self.clock = clock
        self.settings = SettingsWatch()
        self._connections = ConnectionWatch(connection)
        self._growth: str | None = None
        self._away = False
        self.source: KnownSource | None = None
        self._connection = connection
        self._interval_seconds = interval_seconds
        self._known: dict[str, SeenTopic] = {}
        self._keyed: frozenset[str] = frozenset()
        self._client: AIOKafkaClient | None = None

    @property
    def complaint(self) -> str | None:
        """Why some events do not flow although the worker runs; None if all do."""
        causes = (AWAY if self._away else None, self._connections.complaint, *self._causes.values())
        return "; ".join(filter(None, causes)) or None

    @property
    def holds(self) -> frozenset[HoldReason]:
        """The causes of the complaint, for metrics."""
        away = {HoldReason.KAFKA_AWAY} if self._away else frozenset[HoldReason]()
        return self._connections.holds.union(away, (hold for hold, text in self._causes.items() if text is not None))

    @property
    def _causes(self) -> Mapping[HoldReason, str | None]:
        return {
            HoldReason.PARTITIONS_ADDED: self._growth,
            HoldReason.TOPIC_SETTINGS: self.settings.complaint,
            HoldReason.CLOCK: self.clock.look(),
        }

    def expect(
        self, topics: Mapping[str, FoundTopic], *, keyed: Collection[str], read: str, source: KnownSource
    ) -> None:
        """Start with the topics as they were found, those whose partition count matters, and the one that is read."""
        self._known = {name: SeenTopic(partitions=topic.partitions, identity=None) for name, topic in topics.items()}
        self._known[read] = SeenTopic(partitions=source.partitions, identity=source.identity)
        self._keyed = frozenset(keyed)
        self.source = source

    async def run(self) -> None:
        """Check until cancelled.

        Raises:
            TopicLostError: a topic was deleted, or deleted and recreated.
        """
        suspects: dict[str, str] = {}
        silent = 0
        try:
            while True:
                seen = await self._look()
                silent = 0 if seen else silent + 1
                self._note_silence(silent)
                lost = find_lost(self._known, seen)
                if confirmed := {name: lost[name] for name in lost.keys() & suspects.keys()}:
                    raise TopicLostError(confirmed)
                suspects = lost or (suspects if not seen else {})
                if not lost:
                    self._learn(seen)
                await self._check_more(silent)
                await self._rest(soon=bool(suspects or silent))
        finally:
            await self._disconnect()

    async def _rest(self, *, soon: bool) -> None:
        """Wait for the next check, for a short time while something is wrong, or the clock becomes wrong meanwhile.

        A hold must not outlast its cause, and the difference of a clock expires unless it is measured again.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + (min(self._interval_seconds, CONFIRM_SECONDS) if soon else self._interval_seconds)
        while (left := until - loop.time()) > 0:
            await asyncio.sleep(min(left, WRONG_SECONDS))
            if self.complaint is not None:
                return

    def _note_silence(self, silent: int) -> None:
        """Log once that no broker answers, and once that one answers again."""
        away = silent >= SILENT_CHECKS
        if away and not self._away:
            logger.error("Kafka is away", reason=AWAY)
        elif self._away and not away:
            logger.info("Kafka answers again")
        self._away = away

    def _learn(self, seen: Mapping[str, SeenTopic | None]) -> None:
        """Store ids that were unknown, and log added partitions once."""
        for name, now in seen.items():
            before = self._known[name]
            if now is not None and before.identity is None:
                self._known[name] = SeenTopic(partitions=before.partitions, identity=now.identity)
        growth = describe_growth(self._known, seen, self._keyed)
        if growth is not None and growth != self._growth:
            logger.error("partitions were added", reason=growth)
            self._growth = growth

    async def _look(self) -> dict[str, SeenTopic | None]:
        """Return the topics that a broker reports, None for one that does not exist; empty if no broker answers."""
        try:
            client = await self._connect()
            answer = await client.send(_any_node(client), TopicsRequest(tuple(self._known)))
        except (KafkaError, OSError, TimeoutError) as error:
            logger.debug("topics not checked, trying again", error=type(error).__name__)
            await self._disconnect()
            return {}
        seen: dict[str, SeenTopic | None] = {}
        for topic in answer.to_object()["topics"]:
            error_type = for_code(topic["error_code"])
            if error_type is NoError:
                seen[topic["topic"]] = SeenTopic(partitions=len(topic["partitions"]), identity=topic_id(topic))
            elif error_type is UnknownTopicOrPartitionError:
                seen[topic["topic"]] = None
        return seen

    async def learn_time(self) -> None:
        """Compare the clocks before anything is sent, if the cluster reports its time."""
        try:
            await self._read_time(await self._connect())
        except (KafkaError, OSError, TimeoutError) as error:
            logger.debug("the brokers' time is unknown", error=type(error).__name__)
        finally:
            await self._disconnect()

    async def _check_more(self, silent: int) -> None:
        """Check settings, the time and the connections, as far as the cluster reports them."""
        client = self._client
        brokers = [f"{each.host}:{each.port}" for each in client.cluster.brokers()] if client is not None else ()
        await self._connections.look(brokers, silent=bool(silent))
        if client is None:
            return
        for request in (self._read_settings, self._read_time):
            try:
                await request(client)
            except (KafkaError, OSError, TimeoutError) as error:
                logger.debug("request failed", request=request.__name__, error=type(error).__name__)
        self.clock.look()

    async def _read_settings(self, client: AIOKafkaClient) -> None:
        self.settings.take(
            configured(await client.send(_any_node(client), configuration_request(self.settings.topics)))
        )

    async def _read_time(self, client: AIOKafkaClient) -> None:
        asked_at = self.clock.steady()
        answer = await client.send(_any_node(client), QuorumRequest())
        if (reported := present_ms(answer.to_object())) is not None:
            self.clock.report(reported, asked_at=asked_at, broker=CONTROLLER)

    async def _connect(self) -> AIOKafkaClient:
        if self._client is None:
            client = AIOKafkaClient(**self._connection, request_timeout_ms=_REQUEST_TIMEOUT_MS)
            try:
                await client.bootstrap()
            except BaseException:
                await client.close()
                raise
            self._client = client
        return self._client

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def _any_node(client: AIOKafkaClient) -> int:
    node: int | None = client.get_random_node()
    if node is None:
        raise NodeNotReadyError
    return node
