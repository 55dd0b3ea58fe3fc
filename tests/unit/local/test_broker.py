from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.local.broker import EmbeddedBroker, EmbeddedBrokerError, Request
from tests.integration.clients import RawMessage, partitions_of, produce, watermarks

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_SECONDS = 20


def test_a_broker_listens_on_loopback_and_has_the_topics_that_were_created() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("raw", 7)
        assert broker.bootstrap_servers.startswith("127.0.0.1:")
        assert partitions_of(broker.bootstrap_servers, "raw") == list(range(7))


def test_several_brokers_are_one_cluster() -> None:
    with EmbeddedBroker(brokers=3) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        assert len(admin.list_topics(timeout=WAIT_SECONDS).brokers) == 3


@pytest.mark.parametrize(
    ("name", "partitions", "reason"), [("taken", 1, "already exists"), ("none", 0, "at least one")]
)
def test_a_topic_that_cannot_be_created_is_an_error_that_says_why(name: str, partitions: int, reason: str) -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("taken", 1)
        with pytest.raises(EmbeddedBrokerError, match=reason):
            broker.create_topic(name, partitions)


def test_a_closed_broker_refuses_commands_and_closes_twice_without_harm() -> None:
    broker = EmbeddedBroker()
    broker.close()
    broker.close()
    with pytest.raises(EmbeddedBrokerError, match="was closed"):
        broker.create_topic("late", 1)


def test_a_broker_that_is_down_refuses_connections_and_keeps_what_it_stored() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("kept", 1)
        produce(broker.bootstrap_servers, "kept", [RawMessage(value=b"x")])
        broker.go_down()
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=0.3)
        broker.come_up()
        assert watermarks(broker.bootstrap_servers, "kept") == {0: (0, 1)}


def test_answers_can_be_delayed_and_faults_taken_back() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("slow", 1)
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        admin.list_topics(timeout=WAIT_SECONDS)
        broker.delay_answers(400)
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=0.2)
        broker.delay_answers(0)
        broker.stop_failing(Request.METADATA)
        assert admin.list_topics(timeout=WAIT_SECONDS).topics


@contextmanager
def broker_process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "pipeline.local.broker", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_as_a_process_it_prints_its_address_as_json_and_ends_on_sigterm() -> None:
    with broker_process("--topic", "a:3", "--topic", "b:1") as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["bootstrap_servers"]
        assert partitions_of(address, "a") == [0, 1, 2]
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_SECONDS) == 0


@pytest.mark.parametrize("topic", ["name", "name:", ":3", "name:none", "name:0"])
def test_as_a_process_it_says_how_a_topic_is_written(topic: str) -> None:
    with broker_process("--topic", topic) as process:
        _, said = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 2
    assert "NAME:PARTITIONS" in said


def test_as_a_process_it_ends_when_its_parent_is_killed() -> None:
    parent = (
        "import subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-m', 'pipeline.local.broker']);"
        "sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.kill()
        # Both processes share the pipe, so it closes only when the orphan has ended too.
        assert process.stdout.read() == b""
