from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro
import pytest

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.avro.framing import SINGLE_OBJECT_MARK, fingerprint_of
from pipeline.core.presets import Preset
from pipeline.local.traffic import traffic
from tests.avro_bodies import without_logical_types
from tests.builders import encode, raw_event
from tests.integration.brokers import REMEMBERED
from tests.integration.clients import RawMessage, committed_offsets, produce
from tests.integration.pipeline_processes import PARTITIONS, SEGMENT_ROLES, running_pipeline
from tests.integration.test_end_to_end import numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.integration.brokers import Broker

EVENTS = 3_000
DAY_MS = 86_400_000


async def what_if(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pipeline", "rules", "what-if", *arguments],
        env={**environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def row(printed: str, name: str) -> list[str]:
    line = next(line for line in printed.splitlines() if line.strip().startswith(name))
    return line.strip().removeprefix(name).split()


def environment(broker: Broker, topic: str, **settings: str) -> dict[str, str]:
    named = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "RAW_TOPIC": topic, **settings}
    return {f"PIPELINE_{name}": value for name, value in named.items()}


def events(*users: str, kind: str = "message.push.sent", timestamp: int | None = None) -> Sequence[RawMessage]:
    return [
        RawMessage(value=encode(raw_event(kind, external_id=user)), key=user.encode(), timestamp_milliseconds=timestamp)
        for user in users
    ]


@pytest.mark.parametrize("preset", [Preset.ENGAGEMENT_ONLY, Preset.KEEP_ALL, Preset.TRACKED_ONLY])
async def test_what_it_predicts_beside_the_live_group_is_what_segment_has_counted(
    preset: Preset, broker: Broker, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "RULES_PRESET": preset.value,
        "TRACKED_USERS_SECRET": "a secret that is long enough",
        "TRACKED_USERS_TOPIC": broker.create_topic("tracked-users", PARTITIONS, **REMEMBERED),
    }
    async with running_pipeline(broker, tmp_path, **settings) as pipeline:
        processor, _ = [await pipeline.start(role) for role in SEGMENT_ROLES]
        messages = [RawMessage(key=message.key, value=message.value) for message in traffic(seed=3, events=EVENTS)]
        await asyncio.to_thread(
            produce, broker.bootstrap_servers, pipeline.raw_topic, messages, message_max_bytes=2_000_000
        )
        await pipeline.settled()
        group = (broker.bootstrap_servers, pipeline.processor_group, pipeline.raw_topic)
        before = await asyncio.to_thread(committed_offsets, *group)

        told = await what_if(pipeline.environment(http_port=1), preset.value)
        assert told.returncode == 0, told.stderr
        accepted = pipeline.segment.ledger.accepted
        name = "keep-all (baseline)" if preset is Preset.KEEP_ALL else preset.value
        users, *_, sent_on, _, _ = row(told.stdout, name)
        assert users == f"{len(set(accepted.values())):,}"
        assert sent_on == f"{(await numbers(processor))['events_forwarded_total']:,.0f}"
        assert f"{EVENTS:,} messages of topic {pipeline.raw_topic}, from " in told.stdout

        assert await asyncio.to_thread(committed_offsets, *group) == before
        assert processor.process.returncode is None
        assert (await processor.get("/readyz"))[0] == 200


@pytest.mark.real_only("offsets by time")
async def test_only_what_is_there_at_the_beginning_and_new_enough_is_read(broker: Broker) -> None:
    topic = broker.create_topic("raw", 3)
    now = round(time.time() * 1000)
    for users, age in ((("u-1", "u-2"), 9), (("u-3", "u-4", "u-5"), 2)):
        await asyncio.to_thread(produce, broker.bootstrap_servers, topic, events(*users, timestamp=now - age * DAY_MS))
    whole = await what_if(environment(broker, topic), "engagement-only")
    assert whole.returncode == 0, whole.stderr
    assert f"5 messages of topic {topic}, from " in whole.stdout
    newer = await what_if(environment(broker, topic), "engagement-only", "--since", "7d")
    assert newer.returncode == 0, newer.stderr
    assert f"3 messages of topic {topic} since " in newer.stdout
    none = await what_if(environment(broker, topic), "engagement-only", "--since", "1d")
    assert none.stdout.startswith(f"0 messages of topic {topic} since ")


@pytest.mark.embedded_only("knows no times")
async def test_a_cluster_that_knows_no_times_is_refused_and_not_taken_for_an_empty_one(broker: Broker) -> None:
    topic = broker.create_topic("raw")
    empty = await what_if(environment(broker, topic), "engagement-only", "--since", "7d")
    assert empty.stdout.startswith(f"0 messages of topic {topic} since ")
    await asyncio.to_thread(produce, broker.bootstrap_servers, topic, events("u-1"))
    told = await what_if(environment(broker, topic), "engagement-only", "--since", "7d")
    assert told.returncode == 1
    assert f"Topic `{topic}` cannot be read from a time on: this cluster" in told.stderr


async def test_the_page_of_a_topic_is_written(broker: Broker, tmp_path: Path) -> None:
    topic = broker.create_topic("raw", 2)
    await asyncio.to_thread(produce, broker.bootstrap_servers, topic, events("u-1", "u-2"))
    page = tmp_path / "report.html"
    told = await what_if(environment(broker, topic), "engagement-only", "--price", "0.01", "--html", str(page))
    assert told.returncode == 0, told.stderr
    assert f"written: {page}\n" in told.stderr
    assert "engagement-only saves 100 % of the MTUs" in page.read_text(encoding="utf-8")


async def test_one_pass_over_a_topic_counts_for_both_destinations(broker: Broker, tmp_path: Path) -> None:
    topic = broker.create_topic("raw", 2)
    clicks = events("u-1", kind="message.push.clicked")
    await asyncio.to_thread(produce, broker.bootstrap_servers, topic, [*events("u-1", "u-2", "u-3"), *clicks])
    page = tmp_path / "report.html"
    asked = ["--destination", "segment", "--destination", "mixpanel", "--price-event", "0.5", "--html", str(page)]
    told = await what_if(environment(broker, topic), "exempt-delivery", *asked)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"4 messages of topic {topic}, from ")
    assert row(told.stdout, "keep-all (baseline) ")[:2] == ["Segment", "3"]
    assert row(told.stdout, "exempt-delivery")[:2] == ["Segment", "1"]
    assert row(told.stdout, "Mixpanel")[:7] == ["1", "-", "-", "0.0", "2.00", "-", "4"]
    assert "saves 67 % of the MTUs at Segment, saves 0 % of the events (0.00) at Mixpanel" in page.read_text("utf-8")


async def test_avro_is_read_as_the_settings_say(broker: Broker, tmp_path: Path) -> None:
    topic = broker.create_topic("raw")
    schema = tmp_path / "raw.avsc"
    schema.write_text(RAW_EVENT.text, encoding="utf-8")
    body = BytesIO()
    facts = {"kind": "message.push.clicked", "id": "e-1", "external_id": "u-1"}
    fastavro.schemaless_writer(
        body, fastavro.parse_schema(without_logical_types(json.loads(RAW_EVENT.text))), {"event": facts}
    )
    avro = RawMessage(value=SINGLE_OBJECT_MARK + fingerprint_of(RAW_EVENT.text) + body.getvalue(), key=b"u-1")
    await asyncio.to_thread(produce, broker.bootstrap_servers, topic, [avro, *events("u-2")])
    settings = environment(broker, topic, RAW_FORMAT="auto", RAW_SCHEMA_FILE=str(schema))
    told = await what_if(settings, "engagement-only")
    assert told.returncode == 0, told.stderr
    assert row(told.stdout, "engagement-only")[:2] == ["1", "1"]


async def test_a_registry_that_is_away_ends_it(broker: Broker) -> None:
    topic = broker.create_topic("raw")
    await asyncio.to_thread(produce, broker.bootstrap_servers, topic, [RawMessage(value=b"\0\0\0\0\x07body")])
    settings = environment(broker, topic, RAW_FORMAT="avro", SCHEMA_REGISTRY_URL="http://127.0.0.1:9")
    told = await what_if(settings, "engagement-only")
    assert told.returncode == 1
    assert "the schema registry at http://127.0.0.1:9 does not answer" in told.stderr
    assert "Traceback" not in told.stderr


async def test_a_topic_that_is_not_there_and_a_broker_that_is_away_are_told(broker: Broker) -> None:
    told = await what_if(environment(broker, broker.unique("absent")), "engagement-only")
    assert told.returncode == 1
    assert "does not exist, or this user may not see it: correct PIPELINE_RAW_TOPIC." in told.stderr
    away = {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    told = await what_if(away, "engagement-only")
    assert told.returncode == 1
    assert "No Kafka broker can be used." in told.stderr
