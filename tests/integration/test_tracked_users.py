"""Rules with `tracked_only`, on real workers that are killed: each decision depends only on the log before it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import orjson
import pytest

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.avro.framing import SINGLE_OBJECT_MARK, fingerprint_of
from pipeline.core.rules_file import parse_rules
from pipeline.kafka.partitioner import partition_for
from pipeline.settings.choices import Role
from tests.avro_bodies import FRAME, written
from tests.builders import raw_event
from tests.integration.brokers import REMEMBERED
from tests.integration.clients import RawMessage, produce, read_topic
from tests.integration.cluster_changes import delete_topic
from tests.integration.pipeline_processes import PARTITIONS, running_pipeline
from tests.integration.test_end_to_end import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import Pipeline

RULES = "rules: [{when: {category: delivery}, then: tracked_only}]\n"
SECRET = "a secret that is long enough"
USERS = 40
EVENTS = 3_000
TRACKED = 'onesignal_pipeline_tracked_users{destination="segment"}'
SENT, CLICKED = "message.push.sent", "message.push.clicked"


def settings(broker: Broker, tmp_path: Path, **more: str) -> dict[str, str]:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    return {
        "RULES_FILE": str(rules),
        "TRACKED_USERS_SECRET": SECRET,
        "TRACKED_USERS_TOPIC": broker.create_topic("tracked-users", PARTITIONS, **REMEMBERED),
        **more,
    }


def traffic(seed: int) -> list[RawMessage]:
    """Return sends to all users and clicks of a few, so that tracking is decided again and again."""
    chance = random.Random(seed)
    found = []
    for number in range(EVENTS):
        user = f"u-{chance.randrange(USERS)}"
        kind = "message.push.clicked" if chance.random() < 0.02 else "message.push.sent"
        body = orjson.dumps(raw_event(kind, id=f"e-{number}", external_id=user))
        found.append(RawMessage(key=user.encode(), value=body, partition=partition_for(user.encode(), PARTITIONS)))
    return found


def kept(messages: list[RawMessage]) -> set[str]:
    """Return the ids of the events that must be forwarded. All events are in one month."""
    tracked: set[str] = set()
    ids = set()
    for message in messages:
        event = orjson.loads(message.value or b"")["event"]
        if event["kind"] == "message.push.clicked":
            tracked.add(event["external_id"])
        if event["external_id"] in tracked:
            ids.add(event["id"])
    return ids


def forwarded(pipeline: Pipeline) -> set[str]:
    records = read_topic(pipeline.broker.bootstrap_servers, pipeline.records_topic)
    return {orjson.loads(record.value or b"")["messageId"] for record in records}


async def test_killed_processors_decide_by_the_log_before(broker: Broker, tmp_path: Path) -> None:
    messages = traffic(7)
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, **settings(broker, tmp_path)) as pipeline:
        await pipeline.start(Role.SEGMENT_SINK)
        third = EVENTS // 3
        for start in (0, third):
            doomed = await pipeline.start(Role.PROCESSOR)
            assert await doomed.said("/readyz", '"ready') == 200
            await write(pipeline, messages[start : start + third])
            await doomed.kill()
        processor = await pipeline.start(Role.PROCESSOR)
        await write(pipeline, messages[2 * third :])
        await pipeline.settled()
        assert forwarded(pipeline) == kept(messages)
        assert await processor.said("/metrics", f"{TRACKED} {tracked(messages)}.0") == 200
        assert await processor.stop() == 0, pipeline.logs()


def tracked(messages: list[RawMessage]) -> int:
    events = [orjson.loads(message.value or b"")["event"] for message in messages]
    return len({event["external_id"] for event in events if event["kind"] == "message.push.clicked"})


async def test_another_secret_is_refused_and_never_an_empty_memory(broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, **settings(broker, tmp_path)) as pipeline:
        await write(pipeline, traffic(8)[:500])
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.said("/readyz", '"ready') == 200
        await pipeline.start(Role.SEGMENT_SINK)
        await pipeline.settled()
        assert await processor.stop() == 0, pipeline.logs()

        pipeline.settings = {**pipeline.settings, "TRACKED_USERS_SECRET": "another secret, as long as that"}
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.ended() == 1
        assert "was written with another PIPELINE_TRACKED_USERS_SECRET" in processor.log.read_text()


GARBAGE = (b"", b"\xff\xfe", b"{", b'{"x":' + b"[" * 4_000, b"null", b"x" * 100_000)
STRANGE_USERS = ("\u00fc\u0000\u2028", "\U0001f600" * 50, " padded ", "sketch", "0" * 9_000, '"quoted"\n')


async def test_garbage_in_what_is_remembered_and_strange_users_change_no_decision(
    broker: Broker, tmp_path: Path
) -> None:
    feed = broker.create_topic("feed", PARTITIONS, **REMEMBERED)
    catalogue = broker.create_topic("catalogue", 1, **REMEMBERED)
    for topic, key in ((feed, b"\xff" * 9), (catalogue, b"m-1")):
        produce(broker.bootstrap_servers, topic, [RawMessage(key=key, value=value) for value in GARBAGE])
        headers = (("user-hash-key", b""), ("user-hash-key", b"\x00\x00\x00\x00"))
        produce(broker.bootstrap_servers, topic, [RawMessage(key=b"k" * 10, value=b"", headers=headers)])
    messages = [
        RawMessage(
            key=user.encode(),
            value=orjson.dumps(raw_event(kind, id=f"e-{turn}-{number}", external_id=user)),
            partition=partition_for(user.encode(), PARTITIONS),
        )
        for turn, kind in enumerate(("message.push.sent", "message.push.clicked", "message.push.sent"))
        for number, user in enumerate(STRANGE_USERS)
    ]
    more = {"TRACKED_USERS_FEED_TOPIC": feed, "MESSAGE_CATALOGUE": "true", "MESSAGE_CATALOGUE_TOPIC": catalogue}
    async with running_pipeline(
        broker, tmp_path, partitions=PARTITIONS, **settings(broker, tmp_path, **more)
    ) as pipeline:
        await pipeline.start(Role.SEGMENT_SINK)
        doomed = await pipeline.start(Role.PROCESSOR)
        await write(pipeline, messages[: 2 * len(STRANGE_USERS)])
        await pipeline.settled()
        await doomed.kill()
        processor = await pipeline.start(Role.PROCESSOR)
        await write(pipeline, messages[2 * len(STRANGE_USERS) :])
        await pipeline.settled()
        assert forwarded(pipeline) == kept(messages)
        assert len(kept(messages)) == 2 * len(STRANGE_USERS)
        assert await processor.stop() == 0, pipeline.logs()


@pytest.mark.real_only("topics that are deleted")
async def test_a_processor_ends_when_what_it_remembers_is_deleted(broker: Broker, tmp_path: Path) -> None:
    own = settings(broker, tmp_path, TOPIC_WATCH_SECONDS="0.2")
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, **own) as pipeline:
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.said("/readyz", '"ready') == 200
        delete_topic(broker, own["TRACKED_USERS_TOPIC"])
        assert await processor.ended() == 1, pipeline.logs()
        assert f"topic `{own['TRACKED_USERS_TOPIC']}` was deleted: " in processor.log.read_text()


async def test_avro_that_is_not_keyed_by_user_is_refused_too(broker: Broker, tmp_path: Path) -> None:
    schema = tmp_path / "raw.avsc"
    schema.write_text(RAW_EVENT.text, encoding="utf-8")
    mark = SINGLE_OBJECT_MARK + fingerprint_of(RAW_EVENT.text)
    own = settings(broker, tmp_path, RAW_FORMAT="avro", RAW_SCHEMA_FILE=str(schema))
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, **own) as pipeline:
        foreign = [
            RawMessage(
                key=b"%d" % number,
                value=mark
                + written({"event": {"kind": "message.push.sent", "external_id": f"u-{number}"}})[len(FRAME) :],
                partition=number % PARTITIONS,
            )
            for number in range(100)
        ]
        await write(pipeline, foreign)
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.ended() == 1
        assert "need a raw topic that is keyed by user" in processor.log.read_text()


async def test_a_raw_topic_that_is_not_keyed_by_user_is_refused(broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, **settings(broker, tmp_path)) as pipeline:
        foreign = [
            RawMessage(key=b"%d" % number, value=each.value, partition=number % PARTITIONS)
            for number, each in enumerate(traffic(9)[:200])
        ]
        await write(pipeline, foreign)
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.ended() == 1
        assert "need a raw topic that is keyed by user" in processor.log.read_text()

        pipeline.settings = {**pipeline.settings, "PARTITIONING": "repartition"}
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.said("/readyz", '"ready') == 200
        assert "a user is tracked in each raw partition separately" in processor.log.read_text()


async def test_rules_may_come_to_ask_who_is_tracked_and_cease_to(broker: Broker, tmp_path: Path) -> None:
    own = settings(broker, tmp_path, RULES_RELOAD_SECONDS="0.1")
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: []\n")
    async with running_pipeline(broker, tmp_path, partitions=PARTITIONS, **own) as pipeline:
        await pipeline.start(Role.SEGMENT_SINK)
        processor = await pipeline.start(Role.PROCESSOR)

        async def decided_by(text: str, *events: tuple[str, str, str]) -> set[str]:
            rules.write_text(text)
            assert await processor.said("/readyz", parse_rules(text, filename="rules.yaml").version) == 200
            await write(pipeline, [event(*each) for each in events])
            await pipeline.settled()
            return forwarded(pipeline)

        first = await decided_by("rules: []\n", ("e-1", SENT, "u-1"))
        assert first == {"e-1"}
        tracked_only = [("e-2", SENT, "u-1"), ("e-3", SENT, "u-2"), ("e-4", CLICKED, "u-2"), ("e-5", SENT, "u-2")]
        assert await decided_by(RULES, *tracked_only) == {"e-1", "e-2", "e-4", "e-5"}
        assert "e-6" in await decided_by("rules: []\n", ("e-6", SENT, "u-3"))
        assert await processor.said("/metrics", f"{TRACKED} 3.0") == 200
        assert await processor.stop() == 0, pipeline.logs()


def event(event_id: str, kind: str, user: str) -> RawMessage:
    body = orjson.dumps(raw_event(kind, id=event_id, external_id=user))
    return RawMessage(key=user.encode(), value=body, partition=partition_for(user.encode(), PARTITIONS))
