"""Measure the state of users: memory, time per event, the start of a month, and restoring.

Run it with ``python -m tests.bench.state_benchmark``; ``--users`` for more or fewer than a million. Restoring starts a
real Kafka; ``--no-kafka`` omits it. ``--only-restore`` omits the rest: 1, 3 and 10 million users are restored over 16
partitions while a status server answers probes, which writes ``restore`` to ``build/bench.json``. Python's garbage
collector and malloc are configured as a worker configures them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import random
import statistics
import sys
import time
from itertools import count, cycle
from typing import TYPE_CHECKING, Final

import psutil
import structlog
from aiokafka.producer.message_accumulator import BatchBuilder

from pipeline.core.billing_month import MILLISECONDS_A_DAY
from pipeline.core.policy import Policy
from pipeline.kafka.producer import BATCH_BYTES, OutboundMessage
from pipeline.processor.deciding import NO_STATE, decide_batch
from pipeline.runtime.allocation import keep_freed_memory, spare_the_collector
from pipeline.state.following import Follower
from pipeline.state.marks_read_back import MarksReadBack
from pipeline.state.partition_state import PartitionState
from pipeline.state.restoring import TrackedUsersTopics
from pipeline.state.store import StateStore
from pipeline.state.stored_marks import NO_EPOCH, MarkCodec
from pipeline.state.tracked_users import TrackedUsersOfPartition, packed_mark
from tests.bench.cluster import PARTITIONS, Cluster
from tests.bench.decode_benchmark import show
from tests.bench.rates.backlog import measure_scale
from tests.bench.reading_back import read_back
from tests.bench.restoring import USERS, measure_restores, restore_figures, restore_verdicts
from tests.bench.runs import RunError
from tests.bench.tracked_marks import HASHER, MONTH, NOW
from tests.bench.verdicts import write_report
from tests.builders import SEGMENT, encode, raw_event
from tests.fakes.stream import FakeMessage, UnsettledBatch
from tests.kafka_server import KafkaServer, KafkaServerError, KafkaUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

BEFORE: Final = NOW - 31 * MILLISECONDS_A_DAY
EVENTS: Final = 20_000
BATCH: Final = 1_000
ROUNDS: Final = 9
MOST_MEGABYTES: Final = 150
MOST_MICROSECONDS: Final = 3.0
_MEGABYTE: Final = 1_000_000


def main() -> int:
    """Measure, and print the figures with their bars."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.state_benchmark", description="Measure the state of users."
    )
    parser.add_argument("--users", type=int, default=1_000_000, help="users over all partitions (default: 1000000)")
    parser.add_argument("--no-kafka", action="store_true", help="omit what needs Kafka")
    parser.add_argument("--only-restore", action="store_true", help="measure only how users are restored, with probes")
    parser.add_argument(
        "--restore",
        type=int,
        nargs="+",
        metavar="USERS",
        default=USERS,
        help="how many users are restored, in ascending order (default: 1, 3 and 10 million)",
    )
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    spare_the_collector()
    keep_freed_memory()
    if not options.only_restore:
        partitions = remember(options.users)
        ask(partitions)
        begin_a_month(partitions)
        partitions.clear()
        asyncio.run(decide_and_store())
    if options.no_kafka:
        return 0
    try:
        with KafkaServer() as server:
            cluster = Cluster(server.bootstrap_servers)
            if not options.only_restore:
                for spread in (PARTITIONS, 1):
                    asyncio.run(read_back(cluster, options.users, spread))
            restore(cluster, options.restore)
    except (RunError, KafkaServerError, KafkaUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def restore(cluster: Cluster, users: Sequence[int]) -> None:
    """Restore users while a server is probed, and print the figures with their bars."""
    restored = measure_restores(cluster, users=users, tell=print)
    scale = measure_scale(cluster)
    for verdict in restore_verdicts(restored, scale):
        print(verdict)
    write_report(restore_figures(restored, scale))


def user(number: int) -> bytes:
    """Return a user's name, as long as a UUID."""
    return b"user-%031d" % number


def remember(users: int) -> list[TrackedUsersOfPartition]:
    """Mark users one after another in two months; print memory and time."""
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    partitions = [TrackedUsersOfPartition(HASHER, MONTH) for _ in range(PARTITIONS)]
    for partition in partitions:
        partition.advance(NOW)
    started = time.process_time()
    for timestamp in (BEFORE, NOW):
        for number in range(users):
            found = partitions[number % PARTITIONS]
            found.mark(found.hash_of(user(number)), found.month_of(timestamp), number)
    microseconds = (time.process_time() - started) / (2 * users) * 1e6
    megabytes = (process.memory_info().rss - before) / _MEGABYTE
    bar = "" if megabytes <= MOST_MEGABYTES else "  MISS"
    print(
        f"{users:,} users in each of two months, {PARTITIONS} partitions: {megabytes:.0f} MB of {MOST_MEGABYTES}{bar}"
    )
    print(f"marked one after another, {microseconds:.2f} µs each")
    return partitions


def ask(partitions: Sequence[TrackedUsersOfPartition]) -> None:
    """Print the cost per message: the lookup whether its user is tracked, and the mark if it makes one."""
    one, month = partitions[0], MONTH.first_day(NOW)
    held = one.count(month)
    known = cycle([user(number * PARTITIONS) for number in range(0, held, max(1, held // 10_000))])
    strangers = cycle([b"stranger-%027d" % number for number in range(10_000)])
    fresh = (b"new-%032d" % number for number in count())

    def question_and_mark() -> None:
        key = next(fresh)
        one.marked_at(key, NOW)
        mark = one.mark_of(key, NOW, 7)
        assert mark is not None
        one.mark(mark.user, mark.month, mark.offset)

    show(
        "a message, its user not the one before",
        {
            "asks whether its user is tracked, who is": lambda: one.marked_at(next(known), NOW),
            "asks whether its user is tracked, who is not": lambda: one.marked_at(next(strangers), NOW),
            "asks, and marks its user": question_and_mark,
        },
    )


def begin_a_month(partitions: Sequence[TrackedUsersOfPartition]) -> None:
    """Print the longest delay of a message when months begin, including the one that forgets the oldest."""
    longest = 0.0
    for days in (31, 62):
        later = NOW + days * MILLISECONDS_A_DAY
        for number, partition in enumerate(partitions):
            started = time.perf_counter()
            partition.advance(later)
            partition.marked_at(b"u", later)
            partition.mark(partition.hash_of(b"u"), partition.month_of(later), number)
            longest = max(longest, time.perf_counter() - started)
    print(f"start of a month: the longest step took {longest * 1000:.2f} ms")


async def decide_and_store() -> None:
    """Print what tracking a user adds to the cost of an event, from the lookup to the message in a batch for Kafka."""
    print(f"\n{'CPU per event, all kept, in µs':<52}{'alone':>7}{'tracked':>12}{'more':>7}")
    for title, users in {
        "one event in ten marks a user": EVENTS // 10,
        "two in three": EVENTS,
        "every one": None,
    }.items():
        rounds = [(await _sorted(users, remembers=False), await _sorted(users, remembers=True)) for _ in range(ROUNDS)]
        alone, remembered = (statistics.median(figures) for figures in zip(*rounds, strict=True))
        more = statistics.median(two - one for one, two in rounds)
        bar = "" if more <= MOST_MICROSECONDS else f"  MISS ({MOST_MICROSECONDS})"
        print(f"  {title:<50}{alone:>7.2f}{remembered:>12.2f}{more:>7.2f}{bar}")


async def _sorted(users: int | None, *, remembers: bool) -> float:
    """Decide events of `users` users, chosen at random, or of a new user each; return microseconds of CPU per event."""
    lot = random.Random(7)
    messages = [
        FakeMessage(
            offset=number,
            key=(name := f"user-{number if users is None else lot.randrange(users):08d}").encode(),
            value=encode(raw_event("message.push.clicked", id=f"e-{number}", external_id=name)),
            timestamp=NOW,
        )
        for number in range(EVENTS)
    ]
    codec = MarkCodec(fingerprint=HASHER.fingerprint, epoch=NO_EPOCH, topic="tracked")
    store = StateStore(
        connection={},
        producer=_Batches(),  # type: ignore[arg-type] # it fills batches and sends none
        follower=Follower({}),
        hasher=HASHER,
        month=MONTH,
        now_ms=lambda: NOW,
        tracked=TrackedUsersTopics(topic=codec.topic, codec=codec),
        catalogue=None,
    )
    state = PartitionState(HASHER, MONTH, None, tracks=True)
    state.advance(NOW)
    strangers = MarksReadBack(state.users)
    for number in range(80_000):
        mark = packed_mark(HASHER.hash_of(b"stranger-%d" % number).to_bytes(8, "big"), 7)
        strangers.add(MONTH.first_day(NOW), mark)
    for _ in strangers.load_marks():
        pass
    store._partitions[0] = state
    policy = Policy(records=SEGMENT)
    batches = [UnsettledBatch(messages[start : start + BATCH]) for start in range(0, EVENTS, BATCH)]
    gc.collect()
    started = time.process_time()
    for batch in batches:
        decided = decide_batch(batch, policy, view=store.of(0) if remembers else NO_STATE)
        if remembers:
            await store.store(0, decided.changes)
    return (time.process_time() - started) / EVENTS * 1e6


class _Batches:
    """Fills batches as a producer does before it sends them (`pipeline.kafka.producer.BatchProducer`)."""

    async def write(self, topic: str, partition: int, messages: Sequence[OutboundMessage]) -> None:
        del topic, partition
        batch = BatchBuilder(BATCH_BYTES, 0)
        for message in messages:
            batch.append(key=message.key, value=message.value, timestamp=message.timestamp_ms, headers=message.headers)


if __name__ == "__main__":
    raise SystemExit(main())
