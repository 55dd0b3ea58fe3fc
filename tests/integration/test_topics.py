from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from pipeline.cli.main import ExitCode, run
from pipeline.kafka.connection import connection_options
from pipeline.kafka.topics import await_topics
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.brokers import Broker

pytestmark = pytest.mark.usefixtures("logs_put_back")

ROLES = ("RAW_TOPIC", "RECORDS_TOPIC", "DEAD_LETTER_TOPIC")


def _environment(broker: Broker, **variables: str) -> dict[str, str]:
    named = {name: broker.unique(name.lower()) for name in ROLES}
    settings = (
        {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "TOPIC_REPLICATION_FACTOR": "1"} | named | variables
    )
    return {f"PIPELINE_{name}": value for name, value in settings.items()}


def _make(broker: Broker, environment: Mapping[str, str], **partitions: int) -> None:
    for name, count in partitions.items():
        broker.create_topic_named(environment[f"PIPELINE_{name}"], count)
    connection = connection_options(load_settings(environment))
    asyncio.run(await_topics(connection, [environment[f"PIPELINE_{name}"] for name in partitions]))


def test_good_topics_pass_the_check(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    environment = _environment(broker)
    _make(broker, environment, RAW_TOPIC=3, RECORDS_TOPIC=3, DEAD_LETTER_TOPIC=1)
    assert run(["topics", "check"], environment) == ExitCode.DONE
    counts = [line.rsplit(": ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert counts == ["3 partitions", "3 partitions", "1 partition"]


def test_all_faults_of_the_topics_are_listed_at_once(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    environment = _environment(broker)
    _make(broker, environment, RAW_TOPIC=3, RECORDS_TOPIC=2)
    assert run(["topics", "check"], environment) == ExitCode.FAILED
    told = capsys.readouterr().err
    assert f"Topic `{environment['PIPELINE_DEAD_LETTER_TOPIC']}` does not exist" in told
    assert "has 3 partitions and" in told


def test_a_check_creates_no_topic(broker: Broker) -> None:
    environment = _environment(broker)
    assert run(["topics", "check"], environment) == ExitCode.FAILED
    there = AdminClient({"bootstrap.servers": broker.bootstrap_servers}).list_topics(timeout=10).topics
    assert environment["PIPELINE_RAW_TOPIC"] not in there


@pytest.mark.real_only("CreateTopics")
def test_topics_are_created_as_the_settings_say(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    environment = _environment(
        broker,
        TOPIC_PARTITIONS="3",
        DEAD_LETTER_TOPIC_PARTITIONS="1",
        RAW_TOPIC_RETENTION_HOURS="2",
        TOPIC_COMPRESSION="lz4",
    )
    assert run(["topics", "create"], environment) == ExitCode.DONE
    raw, dead_letters = environment["PIPELINE_RAW_TOPIC"], environment["PIPELINE_DEAD_LETTER_TOPIC"]
    told = capsys.readouterr().out
    assert f"{raw}: created, 3 partitions\n" in told
    assert f"{dead_letters}: created, 1 partition\n" in told
    resource = ConfigResource(ConfigResource.Type.TOPIC, raw)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    configuration = admin.describe_configs([resource])[resource].result(timeout=10)
    assert configuration["retention.ms"].value == "7200000"
    assert configuration["compression.type"].value == "lz4"
    assert configuration["cleanup.policy"].value == "delete"


@pytest.mark.real_only("CreateTopics")
def test_creating_twice_changes_nothing(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    environment = _environment(broker, TOPIC_PARTITIONS="2")
    assert run(["topics", "create"], environment) == ExitCode.DONE
    capsys.readouterr()
    assert run(["topics", "create"], environment | {"PIPELINE_TOPIC_PARTITIONS": "4"}) == ExitCode.DONE
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 3
    assert all("exists, 2 partitions (the settings say 4; " in line for line in told)


@pytest.mark.real_only("CreateTopics")
def test_what_was_created_is_told_although_the_topics_do_not_fit_together(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = _environment(broker, TOPIC_PARTITIONS="3")
    _make(broker, environment, RECORDS_TOPIC=2)
    assert run(["topics", "create"], environment) == ExitCode.FAILED
    captured = capsys.readouterr()
    assert f"{environment['PIPELINE_RAW_TOPIC']}: created, 3 partitions\n" in captured.out
    assert "has 3 partitions and" in captured.err


@pytest.mark.real_only("CreateTopics")
def test_what_the_cluster_refuses_is_told_for_each_topic(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    environment = _environment(broker, TOPIC_REPLICATION_FACTOR="9")
    assert run(["topics", "create"], environment) == ExitCode.FAILED
    refusals = [line for line in capsys.readouterr().err.splitlines() if "was not created" in line]
    assert len(refusals) == 3
    assert "PIPELINE_TOPIC_REPLICATION_FACTOR" in refusals[0]


@pytest.mark.embedded_only("has no CreateTopics")
def test_a_cluster_that_cannot_create_topics_says_so(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["topics", "create"], _environment(broker)) == ExitCode.FAILED
    assert "This cluster has no controller" in capsys.readouterr().err


@pytest.mark.real_only("CreateTopics")
def test_what_differs_about_topics_that_were_there_is_told(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    environment = _environment(broker, TOPIC_PARTITIONS="1")
    broker.create_topic_named(environment["PIPELINE_RAW_TOPIC"], 1, retention_ms=1000, compression_type="gzip")
    broker.create_topic_named(environment["PIPELINE_DEAD_LETTER_TOPIC"], 1)
    assert run(["topics", "create"], environment) == ExitCode.DONE
    captured = capsys.readouterr()
    assert "  compression.type=gzip (the settings say producer)\n" in captured.out
    assert "  retention.ms=1000 (the settings say 604800000)\n" in captured.out
    assert "  max.message.bytes=1048588 (the settings say 2097176)\n" in captured.out
    assert "warning: Topic" in captured.err
    assert run(["topics", "check"], environment) == ExitCode.DONE
    assert "refuses messages of more than 1048588 bytes" in capsys.readouterr().err


@pytest.mark.real_only("topic configuration")
def test_a_topic_that_takes_no_record_is_a_fault(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    environment = _environment(broker)
    _make(broker, environment, RAW_TOPIC=1, DEAD_LETTER_TOPIC=1)
    broker.create_topic_named(environment["PIPELINE_RECORDS_TOPIC"], 1, max_message_bytes=20_000)
    assert run(["topics", "check"], environment) == ExitCode.FAILED
    assert "refuses messages of more than 20000 bytes" in capsys.readouterr().err
