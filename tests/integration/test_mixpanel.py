"""Mixpanel's processor and sink as processes, from the raw topic to the stand-in."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pipeline.kafka import headers
from pipeline.local.mixpanel.ledger import Discard
from pipeline.local.stand_ins.faults import CutAnswer, RefuseRecords, Slow, TakeAndDrop, WrongNumber
from pipeline.local.traffic import traffic
from pipeline.local.traffic_truth import EXEMPT_DELIVERY, Fate, Fates
from pipeline.settings.choices import Role
from tests.fakes.mixpanel import record
from tests.integration.clients import RawMessage, committed_offsets, eventually, produce, read_topic, watermarks
from tests.integration.pipeline_processes import MIXPANEL_ROLES, SEGMENT_ROLES, running_both

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import Pipeline

EVENTS = 3_000
BACKLOG = 13_000
SOURCE = ((headers.SOURCE_PARTITION, b"0"), (headers.SOURCE_OFFSET, b"1"), (headers.RULES_VERSION, b"0123456789ab"))
DEVICE = "$device:"
BAD = b'{"event":{"kind":"message.pigeon.sent","id":"p-1","external_id":"u"}}'


async def write(pipeline: Pipeline, messages: list[RawMessage]) -> None:
    await asyncio.to_thread(produce, pipeline.broker.bootstrap_servers, pipeline.raw_topic, messages)


async def settled(pipeline: Pipeline) -> None:
    """Wait until Mixpanel's groups have committed everything."""

    def nothing_waits() -> bool:
        servers = pipeline.broker.bootstrap_servers
        for group, topic in (
            (f"{pipeline.processor_group}-mixpanel", pipeline.raw_topic),
            (f"{pipeline.segment_sink_group}-mixpanel", pipeline.mixpanel_records_topic),
        ):
            ends = {partition: end for partition, (_, end) in watermarks(servers, topic).items()}
            if committed_offsets(servers, group, topic) != ends:
                return False
        return True

    try:
        await eventually(nothing_waits, within_seconds=90)
    except AssertionError:
        raise AssertionError(f"not all is committed\n{pipeline.logs()}") from None


async def test_traffic_of_every_shape_adds_up_from_the_raw_topic_to_mixpanel(broker: Broker, tmp_path: Path) -> None:
    async with running_both(broker, tmp_path, MIXPANEL_RULES_PRESET=EXEMPT_DELIVERY) as pipeline:
        workers = [await pipeline.start(role) for role in MIXPANEL_ROLES]
        messages = list(traffic(seed=7, events=EVENTS))
        await write(pipeline, [RawMessage(key=message.key, value=message.value) for message in messages])
        await settled(pipeline)

        meant = Fates("mixpanel", EXEMPT_DELIVERY)
        fates = [meant.of(message) for message in messages]
        expected = Counter(fates)
        ledger = pipeline.mixpanel.ledger
        users = {message.user for message, fate in zip(messages, fates, strict=True) if fate is Fate.FORWARDED}
        assert {user.removeprefix(DEVICE) for user in ledger.accepted.values()} == users
        known = {
            message.message_id
            for message, fate in zip(messages, fates, strict=True)
            if fate is Fate.FORWARDED and message.message_id
        }
        assert known <= set(ledger.accepted)
        assert ledger.discarded == {Discard.DUPLICATE: expected[Fate.FORWARDED] - len(ledger.accepted)}
        letters = read_topic(broker.bootstrap_servers, pipeline.dead_letter_topic)
        assert len(letters) == expected[Fate.REJECTED]
        assert {dict(letter.headers)["destination"] for letter in letters} == {b"mixpanel"}
        seen = ledger.requests[-1]
        assert (seen.encoding, seen.integration) == ("gzip", "onesignal-pipeline")
        assert [await worker.stop() for worker in workers] == [0, 0]


@pytest.mark.slow
async def test_killed_workers_and_unclear_answers_lose_nothing_and_change_no_event(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_both(broker, tmp_path, MIXPANEL_MAX_BATCH_RECORDS="50") as pipeline:
        processor, sink = [await pipeline.start(role) for role in MIXPANEL_ROLES]
        for fault in (CutAnswer(), WrongNumber(), TakeAndDrop(), WrongNumber(difference=2)):
            pipeline.mixpanel.faults.order(fault)
        messages = list(traffic(seed=11, events=EVENTS))
        await write(pipeline, [RawMessage(key=message.key, value=message.value) for message in messages[: EVENTS // 2]])
        async with asyncio.timeout(60):
            await pipeline.mixpanel.accepted(100)
        await asyncio.gather(processor.kill(), sink.kill())
        for role in MIXPANEL_ROLES:
            await pipeline.start(role)
        await write(pipeline, [RawMessage(key=message.key, value=message.value) for message in messages[EVENTS // 2 :]])
        await settled(pipeline)
        meant = Fates("mixpanel", "keep-all")
        expected = sum(meant.of(message) is Fate.FORWARDED for message in messages)
        repeated = expected - len({row.insert_id for row in pipeline.mixpanel.ledger.raw})
        assert 0 <= repeated < EVENTS / 10, "the traffic repeats few ids"
        assert not pipeline.mixpanel.ledger.changed
        assert len(pipeline.mixpanel.ledger.report) == len(pipeline.mixpanel.ledger.accepted)


async def test_a_record_that_mixpanel_names_is_a_dead_letter_with_the_field_and_without_the_value(
    broker: Broker, tmp_path: Path
) -> None:
    async with running_both(broker, tmp_path, partitions=1) as pipeline:
        await pipeline.start(Role.MIXPANEL_PROCESSOR)
        pipeline.mixpanel.faults.order(RefuseRecords(text="e-3", twice=True), times=None)
        await write(
            pipeline,
            [
                RawMessage(
                    key=b"u-1",
                    value=b'{"event":{"kind":"message.push.clicked","id":"e-%d","external_id":"u-1"}}' % number,
                    partition=0,
                )
                for number in range(6)
            ],
        )
        await pipeline.start(Role.MIXPANEL_SINK)
        await settled(pipeline)
        (letter,) = read_topic(broker.bootstrap_servers, pipeline.dead_letter_topic)
        found = dict(letter.headers)
        assert (found["stage"], found["reason"], found["detail"]) == (b"mixpanel-sink", b"refused", b"properties")
        assert (found["destination"], found["kind"]) == (b"mixpanel", b"message.push.clicked")
        assert (found["source-header.source-offset"], found["source-offset"]) == (b"3", b"3")
        assert list(pipeline.mixpanel.ledger.accepted) == ["e-0", "e-1", "e-2", "e-4", "e-5"]


async def test_requests_are_full_in_a_backlog_of_one_partition(broker: Broker, tmp_path: Path) -> None:
    """Every answer takes longer than the flush interval, so a request leaves as full as it is by then."""
    settings = {"MIXPANEL_LANES": "1", "MAX_POLL_RECORDS": "700", "MIXPANEL_FLUSH_INTERVAL_SECONDS": "0.5"}
    async with running_both(broker, tmp_path, partitions=1, **settings) as pipeline:
        pipeline.mixpanel.faults.order(Slow(seconds=0.6, takes_first=True), times=None)
        by_a_processor = ((headers.FORMAT_VERSION, headers.RECORD_FORMAT), *SOURCE)
        backlog = [
            RawMessage(value=record(f"e-{number}"), key=b"u-1", partition=0, headers=by_a_processor)
            for number in range(BACKLOG)
        ]
        await asyncio.to_thread(produce, broker.bootstrap_servers, pipeline.mixpanel_records_topic, backlog)
        await pipeline.start(Role.MIXPANEL_SINK)
        async with asyncio.timeout(60):
            await pipeline.mixpanel.accepted(BACKLOG)
        *most, _ = (request.records for request in pipeline.mixpanel.ledger.requests)
        assert most == [2_000] * (BACKLOG // 2_000)


async def test_a_message_that_both_processors_reject_has_two_letters(broker: Broker, tmp_path: Path) -> None:
    async with running_both(broker, tmp_path, partitions=1) as pipeline:
        for role in (SEGMENT_ROLES[0], MIXPANEL_ROLES[0]):
            await pipeline.start(role)
        await write(pipeline, [RawMessage(key=b"u", value=BAD, partition=0)])
        await eventually(
            lambda: len(read_topic(broker.bootstrap_servers, pipeline.dead_letter_topic)) == 2, within_seconds=60
        )
        letters = read_topic(broker.bootstrap_servers, pipeline.dead_letter_topic)
        assert {dict(letter.headers)["destination"] for letter in letters} == {b"segment", b"mixpanel"}
        assert {letter.value for letter in letters} == {BAD}
