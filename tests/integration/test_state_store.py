"""The state of one processor is restored by the next, from logs of every kind."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer
from structlog.testing import capture_logs

from pipeline.core.billing_month import MILLISECONDS_A_DAY, BillingMonth
from pipeline.core.content import Content
from pipeline.core.outcomes import StateChange
from pipeline.core.tracking import BEFORE_THE_LOG, Mark
from pipeline.kafka import reading
from pipeline.kafka.connection import connection_options
from pipeline.kafka.errors import KafkaUnreachableError
from pipeline.kafka.producer import BatchProducer
from pipeline.settings import load_settings
from pipeline.state import following
from pipeline.state.following import Follower
from pipeline.state.message_catalogue import MessageCatalogue
from pipeline.state.partition_state import HASHED
from pipeline.state.restoring import TrackedUsersTopics
from pipeline.state.store import CatalogueTopic, StateStore
from pipeline.state.stored_marks import ForeignStateError, MarkCodec
from pipeline.state.tracked_users import UserHasher
from tests.integration.clients import RawMessage, eventually, produce, read_topic, watermarks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.brokers import Broker

NOW = time.time_ns() // 1_000_000
OURS, THEIRS = UserHasher("a secret that is long enough"), UserHasher("another secret, as long as that")
MONTH = BillingMonth()
WELCOME = Content(id="m-1", name="welcome", title="Hello")


def marked(*users: bytes, first_offset: int = 0, timestamp: int = NOW) -> list[StateChange]:
    month = MONTH.first_day(timestamp)
    return [
        StateChange(mark=Mark(OURS.hash_of(user), month, first_offset + number)) for number, user in enumerate(users)
    ]


def codec(topic: str, hasher: UserHasher = OURS, epoch: bytes = b"raw1") -> MarkCodec:
    return MarkCodec(fingerprint=hasher.fingerprint, epoch=epoch, topic=topic)


@asynccontextmanager
async def remembering(
    broker: Broker,
    topic: str | None = None,
    *,
    feed: str | None = None,
    catalogue: str | None = None,
    hasher: UserHasher = OURS,
    epoch: bytes = b"raw1",
) -> AsyncIterator[StateStore]:
    """Open a state store as a processor does."""
    connection = connection_options(load_settings({"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}))
    producer, follower = BatchProducer(connection, retry_seconds=0.05), Follower(connection)
    await producer.start()
    try:
        yield StateStore(
            connection=connection,
            producer=producer,
            follower=follower,
            hasher=hasher,
            month=MONTH,
            now_ms=lambda: NOW,
            tracked=TrackedUsersTopics(topic=topic, codec=codec(topic, hasher, epoch), feed=feed) if topic else None,
            catalogue=CatalogueTopic(topic=catalogue, messages=MessageCatalogue(days=90)) if catalogue else None,
        )
    finally:
        await follower.close()
        await producer.stop()


async def remember(store: StateStore, changes: list[StateChange], partition: int = 0) -> None:
    """Store the changes of a batch as the processor does."""
    await store.restore(partition)
    for change in changes:
        store.of(partition).remember(change)
    await store.store(partition, changes)


def found(store: StateStore, *users: bytes, partition: int = 0, timestamp: int = NOW) -> list[int | None]:
    tracked = store.of(partition).users
    return [tracked.marked_at(user, timestamp) for user in users]


async def test_what_one_stores_the_next_one_knows(broker: Broker) -> None:
    topic = broker.create_topic("tracked", 2)
    before = NOW - 31 * MILLISECONDS_A_DAY
    async with remembering(broker, topic) as first:
        await remember(first, [*marked(b"u-1", b"u-2", first_offset=70), *marked(b"u-1", timestamp=before)])
        await remember(first, marked(b"u-3"), partition=1)
        first.of(1).dropped_delivery(b"u-4", NOW)
        first.of(1).shadowed("night", b"u-5", NOW)
        assert (first.tracked_users(), first.users_delivery_would_add()) == (3, 1)
    async with remembering(broker, topic) as second:
        for partition in (0, 1):
            assert not second.is_complete(partition)
            await second.restore(partition)
            assert second.is_complete(partition)
        assert found(second, b"u-1", b"u-2", b"u-3") == [70, 71, None]
        assert found(second, b"u-3", partition=1) == [0]
        assert found(second, b"u-1", b"u-2", timestamp=before) == [0, None]
        assert second.tracked_users() == 3


async def test_sketches_are_read_back_and_written_no_more_than_twice_a_minute(broker: Broker) -> None:
    topic = broker.create_topic("tracked")
    async with remembering(broker, topic) as first:
        await first.restore(0)
        for rule, user in (("night", b"u-1"), ("night", b"u-2"), ("weekend", b"u-2")):
            first.of(0).shadowed(rule, user, NOW)
        first.of(0).dropped_delivery(b"u-1", NOW)
        await first.store(0, [])
        first.of(0).dropped_delivery(b"u-2", NOW)
        await first.store(0, marked(b"u-3"))
    assert len(await asyncio.to_thread(read_topic, broker.bootstrap_servers, topic)) == 3 + 1
    async with remembering(broker, topic) as second:
        await second.restore(0)
        assert second.shadow_users() == {"night": 2, "weekend": 1}
        assert second.users_delivery_would_add() == 1


async def test_an_empty_topic_and_one_without_what_was_removed_are_read_back(broker: Broker) -> None:
    topic = broker.create_topic("tracked", 2)
    async with remembering(broker, topic) as first:
        await remember(first, marked(b"u-1", b"u-2", b"u-3"))
    await asyncio.to_thread(broker.delete_records, topic, 0, before_offset=2)
    async with remembering(broker, topic) as second:
        for partition in (0, 1):
            await second.restore(partition)
        assert found(second, b"u-3", b"u-4") == [2, None]
        assert found(second, b"u-1", partition=1) == [None]
    await asyncio.to_thread(broker.delete_records, topic, 0, before_offset=3)
    async with remembering(broker, topic) as third:
        await third.restore(0)
        assert third.tracked_users() == 0


async def test_what_is_forgotten_is_read_back_and_a_partition_is_read_once(broker: Broker) -> None:
    topic = broker.create_topic("tracked")
    async with remembering(broker, topic) as store, remembering(broker, topic) as successor:
        await remember(store, marked(b"u-1"))
        held = store.of(0)
        await store.restore(0)
        assert store.of(0) is held
        store.forget([0, 7])
        assert not store.is_complete(0)
        await remember(successor, marked(b"u-2", first_offset=5))
        await store.restore(0)
        assert found(store, b"u-1", b"u-2") == [0, 5]


async def test_another_secret_and_a_newer_version_are_refused(broker: Broker) -> None:
    topic = broker.create_topic("tracked")
    async with remembering(broker, topic) as first:
        await remember(first, marked(b"u-1"))
    async with remembering(broker, topic, hasher=THEIRS) as second:
        with pytest.raises(ForeignStateError, match="another PIPELINE_TRACKED_USERS_SECRET"):
            await second.restore(0)
        assert not second.is_complete(0)
    newer = b"\x02" + codec(topic).mark_value(7)[1:]
    produce(broker.bootstrap_servers, topic, [RawMessage(key=codec(topic).mark_key(7, 20_000), value=newer)])
    async with remembering(broker, topic) as third:
        with pytest.raises(ForeignStateError, match="format 2"):
            await third.restore(0)


async def test_marks_of_a_former_raw_topic_count_from_the_start_and_are_told(broker: Broker) -> None:
    topic = broker.create_topic("tracked")
    async with remembering(broker, topic) as first:
        await remember(first, marked(b"u-1", b"u-2", first_offset=900))
    with capture_logs() as logs:
        async with remembering(broker, topic, epoch=b"raw2") as second:
            await remember(second, marked(b"u-3", first_offset=4))
            assert found(second, b"u-1", b"u-3") == [BEFORE_THE_LOG, 4]
    assert [line["users"] for line in logs if "recreated" in line["event"]] == [2]


async def test_while_kafka_is_away_the_reason_is_told_and_nothing_is_made_up(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "STALL_SECONDS", 1.0)
    topic = broker.create_topic("tracked")
    async with remembering(broker, topic) as store:
        await remember(store, marked(b"u-1"))
        store.forget([0])
        with broker.outage(), pytest.raises(KafkaUnreachableError, match=f"topic `{topic}`, partition 0, cannot"):
            async with asyncio.timeout(60):
                await store.restore(0)
        assert not store.is_complete(0)
        async with asyncio.timeout(60):
            while not store.is_complete(0):
                try:
                    await store.restore(0)
                except KafkaUnreachableError:
                    await asyncio.sleep(0.1)
        assert found(store, b"u-1") == [0]


async def test_reading_back_can_be_given_up_at_any_time(broker: Broker) -> None:
    topic, feed, catalogue = (broker.create_topic(name) for name in ("tracked", "feed", "catalogue"))
    async with remembering(broker, topic, feed=feed, catalogue=catalogue) as store:
        await remember(store, [*marked(b"u-1"), StateChange(learnt=WELCOME)])
    async with remembering(broker, topic, feed=feed, catalogue=catalogue) as store:
        for turns in (0, 1, 2, 5, 10, 20, 50, 100):
            reader = asyncio.create_task(store.restore(0))
            for _ in range(turns):
                await asyncio.sleep(0)
            reader.cancel()
            await asyncio.wait({reader})
        await store.restore(0)
        assert found(store, b"u-1") == [0]
        assert store.catalogue_size() == 1


def feed_message(user: bytes, *, partition: int = 0, timestamp: int = NOW) -> RawMessage:
    return RawMessage(key=user, value=b"any", partition=partition, timestamp_milliseconds=timestamp)


def hashed_message(user: bytes, hasher: UserHasher = OURS) -> RawMessage:
    key = codec("t").mark_key(hasher.hash_of(user), MONTH.first_day(NOW))
    return RawMessage(key=key, value=b"", partition=0, headers=((HASHED, hasher.fingerprint),))


async def test_users_counted_elsewhere_are_read_from_the_feed_and_followed(broker: Broker) -> None:
    topic, feed = broker.create_topic("tracked", 2), broker.create_topic("feed", 2)
    produce(broker.bootstrap_servers, feed, [feed_message(b"u-1"), feed_message(b"u-2", partition=1)])
    async with remembering(broker, topic, feed=feed) as store:
        await remember(store, marked(b"u-3", b"u-4", first_offset=40))
        await store.restore(1)
        assert found(store, b"u-1", b"u-2", b"u-3") == [BEFORE_THE_LOG, None, 40]
        assert found(store, b"u-2", partition=1) == [BEFORE_THE_LOG]
        produce(broker.bootstrap_servers, feed, [feed_message(b"u-3"), hashed_message(b"u-5")])
        await eventually(lambda: found(store, b"u-3", b"u-5") == [BEFORE_THE_LOG, BEFORE_THE_LOG])
        assert found(store, b"u-4") == [41]
        store.forget([1])
        produce(broker.bootstrap_servers, feed, [feed_message(b"u-6", partition=1), feed_message(b"u-6")])
        await eventually(lambda: found(store, b"u-6") == [BEFORE_THE_LOG])
        await store.restore(1)
        assert found(store, b"u-6", partition=1) == [BEFORE_THE_LOG]


async def test_the_feed_is_followed_again_when_kafka_is_back(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RETRY_SECONDS", 0.1)
    topic, feed = broker.create_topic("tracked"), broker.create_topic("feed")
    async with remembering(broker, topic, feed=feed) as store:
        await store.restore(0)
        produce(broker.bootstrap_servers, feed, [feed_message(b"u-1")])
        await eventually(lambda: found(store, b"u-1") == [BEFORE_THE_LOG])
        with broker.outage():
            await asyncio.sleep(1)
        await asyncio.to_thread(produce, broker.bootstrap_servers, feed, [feed_message(b"u-2")])
        await eventually(lambda: found(store, b"u-2") == [BEFORE_THE_LOG], within_seconds=60)


async def test_fed_users_hashed_with_another_secret_are_reported_and_mark_nobody(broker: Broker) -> None:
    topic, feed = broker.create_topic("tracked"), broker.create_topic("feed")
    produce(broker.bootstrap_servers, feed, [hashed_message(b"u-1", THEIRS), feed_message(b"u-2")])
    with capture_logs() as logs:
        async with remembering(broker, topic, feed=feed) as store:
            await store.restore(0)
            assert store.tracked_users() == 1
    assert [line["entries"] for line in logs if "hashed with another secret" in line["event"]] == [1]


async def test_what_one_processor_learns_of_a_message_the_others_know(broker: Broker) -> None:
    topic = broker.create_topic("catalogue")
    async with remembering(broker, catalogue=topic) as first, remembering(broker, catalogue=topic) as second:
        await second.restore(3)
        await remember(first, [StateChange(learnt=WELCOME)], partition=1)
        await eventually(lambda: second.catalogue_size() == 1)
        state = second.of(3).state
        assert state.tracked_users is None
        assert state.catalogue is not None
        assert state.catalogue.find("m-1") == WELCOME
    async with remembering(broker, catalogue=topic) as third:
        await third.restore(0)
        assert third.catalogue_size() == 1


@pytest.mark.real_only("transactions")
async def test_the_marks_of_a_transaction_at_the_end_of_a_log_are_not_waited_for(broker: Broker) -> None:
    topic, feed = broker.create_topic("tracked"), broker.create_topic("feed")
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap_servers, "transactional.id": broker.unique("t"), "log_level": 0}
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(feed, key=b"u-1", value=b"any", timestamp=NOW)
    producer.commit_transaction(20)
    await eventually(lambda: watermarks(broker.bootstrap_servers, feed) == {0: (0, 2)})  # the message and the marker
    async with remembering(broker, topic, feed=feed) as store:
        async with asyncio.timeout(20):
            await store.restore(0)
        assert found(store, b"u-1") == [BEFORE_THE_LOG]


@pytest.mark.real_only("compaction")
@pytest.mark.slow
async def test_a_compacted_topic_is_read_back_over_its_gaps(broker: Broker) -> None:
    topic = broker.create_topic(
        "tracked",
        cleanup_policy="compact,delete",
        segment_ms=100,
        segment_bytes=1_048_576,
        min_cleanable_dirty_ratio=0.01,
    )
    users = [b"u-%d" % number for number in range(50)]
    async with remembering(broker, topic) as store:
        for round_number in range(40, 0, -1):
            await remember(store, marked(*users, first_offset=round_number))

        def is_compacted() -> bool:
            produce(broker.bootstrap_servers, topic, [RawMessage(key=b"deleted", value=None)])
            return len(read_topic(broker.bootstrap_servers, topic)) < 1_000

        await eventually(is_compacted, within_seconds=60)
    async with remembering(broker, topic) as again:
        await again.restore(0)
        assert found(again, *users) == list(range(1, 51))
        assert again.tracked_users() == 50


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.003, 0.01])
async def test_a_follower_that_is_closed_while_it_connects_leaves_nothing_open(broker: Broker, seconds: float) -> None:
    topic = broker.create_topic("followed")
    follower = Follower({"bootstrap_servers": broker.bootstrap_servers})
    follower.follow(topic, 0, 0, lambda _: None)
    await asyncio.sleep(seconds)
    await follower.close()
    assert not reading._LEAVING, "its loop may end now"
