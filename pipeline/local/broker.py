"""The embedded broker: a broker with the Kafka protocol over TCP, from the confluent-kafka wheel, for demo and tests.

It is librdkafka's mock cluster, called with ctypes because the Python client exposes neither topic creation nor faults.
Not covered: storage on disk, addresses other than loopback, CreateTopics, compaction, SASL, TLS, and OffsetCommit while
members join. Groups of several members are not reliable: the broker sends the assignments as soon as the leader has
synced, and answers a member that syncs after the leader with INVALID_REQUEST (``rdkafka_mock_cgrp.c``, ``sync_check``
counts assignments). A member that joins a group which had members before waits for the session timeout less one second.

Retention: a partition keeps only ``KEPT_BYTES_PER_PARTITION`` bytes or ``KEPT_BATCHES_PER_PARTITION`` batches and drops
the oldest without an error. Writers must stay well below these limits; see ``pipeline.local.traffic_window``.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
import threading
from enum import IntEnum
from typing import TYPE_CHECKING, Self

from pipeline.local.librdkafka import load_librdkafka
from pipeline.output.printing import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

KEPT_BYTES_PER_PARTITION = 5 * 1024 * 1024
"""Bytes of record batches a partition keeps (librdkafka, ``rdkafka_mock.c``: ``max_size``)."""

KEPT_BATCHES_PER_PARTITION = 100_000
"""Record batches a partition keeps (librdkafka, ``rdkafka_mock.c``: ``max_cnt``)."""

_RD_KAFKA_PRODUCER = 0
_ALL_BROKERS = -1
_ERROR_TEXT_BYTES = 512
_PARENT_CHECK_SECONDS = 0.5


class EmbeddedBrokerError(Exception):
    """The embedded broker refused a command; the text has the command and the reason."""


class Request(IntEnum):
    """A type of Kafka request that can be made to fail. Source: the protocol guide, "Api Keys"."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22


class Fault(IntEnum):
    """An error code in the answer to a request. Source: the protocol guide, "Error Codes"."""

    DISCONNECT = -195  # librdkafka's _TRANSPORT: the broker closes the connection without an answer
    NOT_LEADER_FOR_PARTITION = 6
    REQUEST_TIMED_OUT = 7
    COORDINATOR_NOT_AVAILABLE = 15
    NOT_COORDINATOR = 16
    NOT_ENOUGH_REPLICAS = 19
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20
    ILLEGAL_GENERATION = 22
    UNKNOWN_MEMBER_ID = 25
    REBALANCE_IN_PROGRESS = 27
    TOPIC_AUTHORIZATION_FAILED = 29


class EmbeddedBroker:
    """A running broker; it stops with ``close`` or at the end of a ``with`` block.

    Every method may be called from any thread.

    Raises:
        EmbeddedBrokerError: the broker cannot be started.
    """

    def __init__(self, *, brokers: int = 1) -> None:
        """Start ``brokers`` brokers of one cluster on free loopback ports."""
        self._library = load_librdkafka()
        configuration = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set_log_cb(configuration, None)
        error = ctypes.create_string_buffer(_ERROR_TEXT_BYTES)
        self._client = self._library.rd_kafka_new(_RD_KAFKA_PRODUCER, configuration, error, _ERROR_TEXT_BYTES)
        if not self._client:
            message = f"librdkafka did not start: {error.value.decode()}"
            raise EmbeddedBrokerError(message)
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._client)
            message = f"librdkafka could not start a cluster of {brokers} brokers"
            raise EmbeddedBrokerError(message)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self._replication = min(brokers, 3)
        self._closed = False

    def __enter__(self) -> Self:
        """Return the running broker."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the broker."""
        self.close()

    @property
    def bootstrap_servers(self) -> str:
        """The brokers' addresses, as ``host:port`` joined by commas."""
        text: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._open_cluster())
        return text.decode()

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic.

        Raises:
            EmbeddedBrokerError: the topic exists, or the number of partitions is invalid.
        """
        if partitions < 1:
            message = f"topic {name} must have at least one partition, not {partitions}"
            raise EmbeddedBrokerError(message)
        cluster = self._open_cluster()
        code = self._library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, self._replication)
        self._check(code, f"create topic {name} with {partitions} partitions")

    def delete_records(self, topic: str, partition: int, *, before_offset: int) -> None:
        """Delete the oldest messages of a partition, in whole record batches, as retention would."""
        cluster = self._open_cluster()
        code = self._library.rd_kafka_mock_partition_delete_records(cluster, topic.encode(), partition, before_offset)
        self._check(code, f"delete records of {topic} {partition} before {before_offset}")

    def go_down(self) -> None:
        """Close every connection and refuse new ones. Stored messages stay."""
        self._check(self._library.rd_kafka_mock_broker_set_down(self._open_cluster(), _ALL_BROKERS), "go down")

    def come_up(self) -> None:
        """Accept connections again."""
        self._check(self._library.rd_kafka_mock_broker_set_up(self._open_cluster(), _ALL_BROKERS), "come up")

    def delay_answers(self, delay_milliseconds: int) -> None:
        """Delay every answer; 0 ends the delay."""
        cluster = self._open_cluster()
        code = self._library.rd_kafka_mock_broker_set_rtt(cluster, _ALL_BROKERS, delay_milliseconds)
        self._check(code, "delay answers")

    def fail_next(self, request: Request, faults: Sequence[Fault]) -> None:
        """Answer the next requests of this type with these faults, one fault for each request, in order."""
        codes = (ctypes.c_int32 * len(faults))(*faults)
        self._library.rd_kafka_mock_push_request_errors_array(self._open_cluster(), request, len(faults), codes)

    def stop_failing(self, request: Request) -> None:
        """Remove the faults of ``fail_next`` that were not used yet."""
        self._library.rd_kafka_mock_clear_request_errors(self._open_cluster(), request)

    def close(self) -> None:
        """Stop the brokers and free their ports; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def _open_cluster(self) -> int:
        if self._closed:
            message = "the embedded broker was closed"
            raise EmbeddedBrokerError(message)
        cluster: int = self._cluster
        return cluster

    def _check(self, code: int, command: str) -> None:
        if code:
            reason: bytes = self._library.rd_kafka_err2str(code)
            message = f"the embedded broker could not {command}: {reason.decode()}"
            raise EmbeddedBrokerError(message)


def _topic(text: str) -> tuple[str, int]:
    name, _, partitions = text.rpartition(":")
    if not name or not partitions.isdecimal() or not int(partitions):
        message = f"{text!r} is not NAME:PARTITIONS, for example onesignal.events:12"
        raise argparse.ArgumentTypeError(message)
    return name, int(partitions)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a broker in a separate process until SIGTERM, SIGINT or the end of its parent."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.local.broker", description="Run the embedded broker.")
    parser.add_argument("--topic", action="append", default=[], type=_topic, metavar="NAME:PARTITIONS", dest="topics")
    options = parser.parse_args(arguments)
    parent = os.getppid()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    with EmbeddedBroker() as broker:
        for name, partitions in options.topics:
            broker.create_topic(name, partitions)
        say(json.dumps({"bootstrap_servers": broker.bootstrap_servers}))
        while not stopping.wait(_PARENT_CHECK_SECONDS) and os.getppid() == parent:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
