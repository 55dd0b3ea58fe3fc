from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import orjson
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.local.stand_ins.faults import AnswerStatus
from pipeline.local.traffic import traffic
from pipeline.local.traffic_truth import CURB, Fate, Fates
from pipeline.settings.choices import Role
from tests.integration.clients import RawMessage, committed_offsets, eventually, produce, read_topic
from tests.integration.pipeline_processes import (
    MIXPANEL_ROLES,
    PARTITIONS,
    SEGMENT_ROLES,
    Pipeline,
    WorkerProcess,
    running_both,
    running_pipeline,
)
from tests.integration.test_kill import click
from tests.loopback import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

EVENTS = 3_000


async def write(pipeline: Pipeline, messages: list[RawMessage]) -> None:
    servers = pipeline.broker.bootstrap_servers
    await asyncio.to_thread(produce, servers, pipeline.raw_topic, messages, message_max_bytes=2_000_000)


async def numbers(worker: WorkerProcess) -> dict[str, float]:
    """Return the worker's counters and gauges, summed over their labels."""
    status, text = await worker.get("/metrics")
    assert status == 200
    found: defaultdict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name.removeprefix("onesignal_pipeline_")] += sample.value
    return found


async def until(worker: WorkerProcess, path: str, status: int) -> dict[str, Any]:
    """Wait until a status page answers with a status, and return its text."""
    async with asyncio.timeout(60):
        while True:
            got, text = await worker.get(path)
            if got == status:
                told: dict[str, Any] = json.loads(text)
                return told
            await asyncio.sleep(0.05)


async def test_traffic_of_every_shape_adds_up_from_the_raw_topic_to_segment(broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path, RULES_PRESET=CURB) as pipeline:
        processor, sink = [await pipeline.start(role) for role in SEGMENT_ROLES]
        messages = list(traffic(seed=7, events=EVENTS))
        await write(pipeline, [RawMessage(key=message.key, value=message.value) for message in messages])
        await pipeline.settled()

        meant = Fates("segment", CURB)
        fates = [meant.of(message) for message in messages]
        expected = Counter(fates)
        told = await numbers(processor)
        assert told["events_received_total"] == EVENTS
        assert told["events_forwarded_total"] == expected[Fate.FORWARDED]
        assert told["events_dropped_total"] == expected[Fate.DROPPED]
        assert told["events_rejected_total"] == expected[Fate.REJECTED]
        assert told["events_in_flight"] == 0
        told = await numbers(sink)
        assert told["sink_records_received_total"] == expected[Fate.FORWARDED]
        assert told["sink_records_accepted_total"] == expected[Fate.FORWARDED]

        users = {message.user for message, its in zip(messages, fates, strict=True) if its is Fate.FORWARDED}
        assert set(pipeline.segment.ledger.accepted.values()) == users
        known = {
            message.message_id
            for message, its in zip(messages, fates, strict=True)
            if its is Fate.FORWARDED and message.message_id
        }
        assert known <= set(pipeline.segment.ledger.accepted)
        discarded = pipeline.segment.ledger.summary().discarded
        repeats = expected[Fate.FORWARDED] - len(pipeline.segment.ledger.accepted)
        assert discarded == {**dict.fromkeys(discarded, 0), "duplicate": repeats}
        assert len(read_topic(broker.bootstrap_servers, pipeline.dead_letter_topic)) == expected[Fate.REJECTED]
        assert [await worker.stop() for worker in (processor, sink)] == [0, 0]


async def test_a_dead_letter_keeps_the_message_and_tells_why_and_where_from(broker: Broker, tmp_path: Path) -> None:
    large = b'{"event":{"kind":"message.push.clicked","x":"' + b"x" * 1_000_000
    bad = {
        b"broken utf-8": b'{"event":"\xff\xfe"}',
        b"broken json": b'{"event":',
        b"deep": b"[" * 10_000 + b"]" * 10_000,
        b"large": large,
        b"unknown": b'{"event":{"kind":"message.pigeon.sent","external_id":"u"}}',
    }
    async with running_pipeline(broker, tmp_path, partitions=1) as pipeline:
        processor = await pipeline.start(Role.PROCESSOR)
        await write(pipeline, [RawMessage(key=key, value=value, partition=0) for key, value in bad.items()])
        await eventually(
            lambda: len(read_topic(broker.bootstrap_servers, pipeline.dead_letter_topic)) == len(bad),
            within_seconds=60,
        )
        letters = read_topic(broker.bootstrap_servers, pipeline.dead_letter_topic)
        assert {letter.key: letter.value for letter in letters} == bad
        for offset, letter in enumerate(letters):
            told = dict(letter.headers)
            assert told["source-topic"] == pipeline.raw_topic.encode()
            assert told["source-partition"] == b"0"
            assert told["source-offset"] == str(offset).encode()
            assert (told["stage"], told["destination"]) == (b"processor", b"segment")
            assert told["format-version"] == b"2"
            assert told["rejected-at"].isdigit()
        reasons = [dict(letter.headers)["reason"] for letter in letters]
        assert reasons[0] == b"not_utf8"
        assert reasons[4] == b"unknown_kind"
        assert await processor.stop() == 0


async def test_the_sink_holds_while_segment_refuses_the_key_and_goes_on_by_itself(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, MAX_POLL_RECORDS="100", MAX_MESSAGES_IN_HAND="200") as pipeline:
        pipeline.segment.faults.order(AnswerStatus(status=401), times=None)
        processor, sink = [await pipeline.start(role) for role in SEGMENT_ROLES]
        await write(pipeline, [click(number, f"u-{number % 40}") for number in range(EVENTS)])
        await pipeline.segment.arrived(1)
        told = await until(sink, "/readyz", 503)
        while "401" not in told["detail"]:
            told = await until(sink, "/readyz", 503)
        assert "PIPELINE_SEGMENT_WRITE_KEY" in told["detail"]
        assert (await sink.get("/healthz"))[0] == 200
        in_hand = (await numbers(sink))["messages_in_hand"]
        assert 0 < in_hand <= PARTITIONS * (200 + 100)
        assert not committed_offsets(broker.bootstrap_servers, pipeline.segment_sink_group, pipeline.records_topic) or (
            set(
                committed_offsets(
                    broker.bootstrap_servers, pipeline.segment_sink_group, pipeline.records_topic
                ).values()
            )
            == {0}
        )
        pipeline.segment.faults.clear()
        await pipeline.accepted(EVENTS)
        await until(sink, "/readyz", 200)
        assert [await worker.stop() for worker in (processor, sink)] == [0, 0]


async def test_a_sink_told_to_stop_while_segment_is_away_ends_in_time_and_the_next_one_delivers(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path, SHUTDOWN_TIMEOUT_SECONDS="2") as pipeline:
        pipeline.segment.faults.order(AnswerStatus(status=503), times=None)
        processor, sink = [await pipeline.start(role) for role in SEGMENT_ROLES]
        await write(pipeline, [click(number, "u") for number in range(100)])
        await pipeline.segment.arrived(2)
        assert await sink.stop() == 0, pipeline.logs()
        pipeline.segment.faults.clear()
        await pipeline.start(Role.SEGMENT_SINK)
        await pipeline.accepted(100)
        assert await processor.stop() == 0


async def test_repartitioning_puts_each_user_where_kafkas_own_partitioner_would(broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path, PARTITIONING="repartition") as pipeline:
        pipeline.raw_topic = broker.create_topic("raw-of-three", 3)
        processor = await pipeline.start(Role.PROCESSOR)
        users = [f"u-{number % 20}" for number in range(200)]
        messages = [click(number, user) for number, user in enumerate(users)]
        await write(
            pipeline, [RawMessage(value=each.value, partition=number % 3) for number, each in enumerate(messages)]
        )
        await eventually(
            lambda: len(read_topic(broker.bootstrap_servers, pipeline.records_topic)) == len(users), within_seconds=60
        )
        probe = broker.create_topic("probe", PARTITIONS)
        produce(broker.bootstrap_servers, probe, [RawMessage(value=b"", key=user.encode()) for user in set(users)])
        theirs = {each.key: each.partition for each in read_topic(broker.bootstrap_servers, probe)}
        for record in read_topic(broker.bootstrap_servers, pipeline.records_topic):
            assert record.key == orjson.loads(record.value or b"")["userId"].encode()
            assert record.partition == theirs[record.key]
        assert (await numbers(processor))["events_foreign_key_total"] == len(users)
        assert await processor.stop() == 0


async def test_a_worker_refuses_to_start_on_topics_that_do_not_fit_and_says_all_that_is_wrong(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_pipeline(broker, tmp_path) as pipeline:
        pipeline.raw_topic = broker.create_topic("raw-of-three", 3)
        pipeline.dead_letter_topic = "not.there"
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.ended() != 0
        said = processor.log.read_text()
        assert "not.there" in said
        assert "3 partitions" in said
        assert "PIPELINE_PARTITIONING" in said
        assert "Traceback" not in said


async def test_worker_all_says_what_is_wrong_for_every_role_at_once(broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path) as pipeline:
        pipeline.raw_topic, pipeline.dead_letter_topic = "no.raw", "no.dead.letters"
        both = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pipeline", "worker", "all"),
            env=pipeline.environment(0),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            _, said = await both.communicate()
        assert both.returncode == 1
        assert b"no.raw" in said
        assert said.count(b"no.dead.letters") == 1


async def test_a_worker_without_a_broker_says_so_and_ends(broker: Broker, tmp_path: Path) -> None:
    async with running_pipeline(broker, tmp_path, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1") as pipeline:
        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.ended() != 0
        said = processor.log.read_text()
        assert "127.0.0.1:1" in said
        assert "PIPELINE_KAFKA_BOOTSTRAP_SERVERS" in said
        assert "Traceback" not in said


@pytest.mark.parametrize("ends_by", ["signal", "fault"])
@pytest.mark.parametrize("destinations", [1, 2])
async def test_worker_all_runs_the_roles_of_destinations_with_credentials_and_ends_them_together(
    broker: Broker, tmp_path: Path, destinations: int, ends_by: str
) -> None:
    async with running_both(broker, tmp_path) as pipeline:
        roles = [*SEGMENT_ROLES, *MIXPANEL_ROLES][: 2 * destinations]
        port = _free_ports(len(roles))
        environment = pipeline.environment(port)
        if destinations == 1:
            del environment["PIPELINE_MIXPANEL_PROJECT_TOKEN"]
        everything = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pipeline",
            "worker",
            "all",
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            await write(pipeline, [click(number, "u") for number in range(50)])
            await pipeline.accepted(50)
            if destinations > 1:
                async with asyncio.timeout(60):
                    await pipeline.mixpanel.accepted(50)
            children = _children(everything.pid)
            assert len(children) == len(roles)
            for index, role in enumerate(roles):
                worker = WorkerProcess(role=role, process=everything, http_port=port + index, log=tmp_path / "unused")
                assert f'role="{role.value}"' in (await worker.get("/metrics"))[1]
            if ends_by == "signal":
                everything.terminate()
            else:
                os.kill(children[0], 9)
            async with asyncio.timeout(60):
                _, said = await everything.communicate()
            assert (everything.returncode == 0) == (ends_by == "signal"), said.decode()
            for child in children:
                with pytest.raises(ProcessLookupError):
                    os.kill(child, 0)
        finally:
            if everything.returncode is None:
                everything.kill()
                await everything.wait()


def _children(parent: int) -> list[int]:
    return [child.pid for child in psutil.Process(parent).children()]


def _free_ports(count: int) -> int:
    """Return the first of consecutive ports that are free."""
    while True:
        first = free_port()
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            return first
