"""TLS and passwords on a real Kafka: correct settings, and the errors of wrong ones."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import ExitCode
from tests.integration.clients import produce, read_topic
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline
from tests.integration.test_kill import click
from tests.kafka_security import MECHANISMS, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import SecuredKafka

EVENTS = 300
CHECK_SECONDS = 60.0
PREFIX = "PIPELINE_KAFKA_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Wrong settings, and the texts that the error must contain."""

    changes: dict[str, str]
    removed: tuple[str, ...] = ()
    says: tuple[str, ...]


SASL = ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")
WRONG = {
    "password": Wrong(
        changes={"KAFKA_SASL_PASSWORD": "not the password"},
        says=("Authentication failed", f"check {PREFIX}SASL_USERNAME and {PREFIX}SASL_PASSWORD"),
    ),
    "user": Wrong(
        changes={"KAFKA_SASL_USERNAME": "nobody"},
        says=("Authentication failed", f"check {PREFIX}SASL_USERNAME and {PREFIX}SASL_PASSWORD"),
    ),
    "mechanism": Wrong(
        changes={"KAFKA_SASL_MECHANISM": "PLAIN"}, says=("does not support this mechanism", f"{PREFIX}SASL_MECHANISM")
    ),
    "authority": Wrong(
        changes={"KAFKA_SSL_CA_FILE": "foreign"},
        says=("its certificate is not trusted", f"check that {PREFIX}SSL_CA_FILE contains"),
    ),
    "no authority": Wrong(
        changes={}, removed=("KAFKA_SSL_CA_FILE",), says=("its certificate is not trusted", f"{PREFIX}SSL_CA_FILE")
    ),
    "plaintext": Wrong(
        changes={"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"},
        removed=(*SASL, "KAFKA_SSL_CA_FILE"),
        says=(f"that {PREFIX}SECURITY_PROTOCOL is the protocol of this port",),
    ),
    "password without tls": Wrong(
        changes={"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"},
        removed=("KAFKA_SSL_CA_FILE",),
        says=(f"that {PREFIX}SECURITY_PROTOCOL is the protocol of this port",),
    ),
    "tls without a password": Wrong(
        changes={"KAFKA_SECURITY_PROTOCOL": "SSL"},
        removed=SASL,
        says=(f"that {PREFIX}SECURITY_PROTOCOL is the protocol of this port",),
    ),
    "tls at the plain port": Wrong(
        changes={"KAFKA_BOOTSTRAP_SERVERS": "plain"},
        says=(f"that {PREFIX}SECURITY_PROTOCOL is the protocol of this port",),
    ),
    "password at the plain port": Wrong(
        changes={"KAFKA_BOOTSTRAP_SERVERS": "plain", "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"},
        removed=("KAFKA_SSL_CA_FILE",),
        says=("this port does not use SASL", f"check {PREFIX}SECURITY_PROTOCOL"),
    ),
}


def settings_of(wrong: Wrong, kafka: SecuredKafka) -> dict[str, str]:
    """Return the settings with the placeholders `foreign` and `plain` replaced by the run's own values."""
    replaced = {
        "KAFKA_SSL_CA_FILE": {"foreign": str(kafka.listener.foreign_authority_file)},
        "KAFKA_BOOTSTRAP_SERVERS": {"plain": kafka.broker.bootstrap_servers},
    }
    changes = {name: replaced.get(name, {}).get(value, value) for name, value in wrong.changes.items()}
    settings = kafka.listener.settings(**changes)
    return {name: value for name, value in settings.items() if name not in wrong.removed}


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_events_pass_processor_and_sink_over_tls_with_a_scram_password(
    secured_kafka: SecuredKafka, tmp_path: Path, mechanism: str
) -> None:
    broker, settings = secured_kafka.broker, secured_kafka.listener.settings(KAFKA_SASL_MECHANISM=mechanism)
    async with running_pipeline(broker, tmp_path, partitions=2, **settings) as pipeline:
        workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
        events = [click(number, f"u-{number % 20}") for number in range(EVENTS)]
        await asyncio.to_thread(produce, broker.bootstrap_servers, pipeline.raw_topic, events)
        await pipeline.accepted(EVENTS)
        await pipeline.settled()
        assert len(await asyncio.to_thread(read_topic, broker.bootstrap_servers, pipeline.records_topic)) == EVENTS
        assert [await worker.stop() for worker in workers] == [0, 0], pipeline.logs()
        assert settings["KAFKA_SASL_PASSWORD"] not in pipeline.logs()


async def check_topics(settings: dict[str, str]) -> tuple[int | None, str]:
    """Run `topics check` as a separate process, because it leaves TLS connections open until the process ends."""
    checking = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipeline", "topics", "check"),
        env={**os.environ, **{f"PIPELINE_{name}": value for name, value in settings.items()}},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            _, said = await checking.communicate()
    finally:
        if checking.returncode is None:
            checking.kill()
            await checking.wait()
    return checking.returncode, said.decode()


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
async def test_a_check_with_a_wrong_setting_fails_and_names_it(secured_kafka: SecuredKafka, wrong: Wrong) -> None:
    settings = settings_of(wrong, secured_kafka)
    code, told = await check_topics(settings)
    assert code == ExitCode.FAILED
    assert told.startswith("No Kafka broker can be used.\n")
    assert [part for part in wrong.says if part not in told] == [], told
    assert settings.get("KAFKA_SASL_PASSWORD", PASSWORD) not in told


@pytest.mark.parametrize("name", ["password", "authority", "plaintext"])
async def test_a_worker_with_a_wrong_setting_ends_at_once_and_names_it(
    secured_kafka: SecuredKafka, tmp_path: Path, name: str
) -> None:
    settings = settings_of(WRONG[name], secured_kafka)
    async with running_pipeline(secured_kafka.broker, tmp_path, partitions=2, **settings) as pipeline:
        workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
        assert [await worker.ended() for worker in workers] == [ExitCode.FAILED] * len(SEGMENT_ROLES)
        for worker in workers:
            said = worker.log.read_text()
            assert [part for part in WRONG[name].says if part not in said] == [], said
            assert "Traceback" not in said


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A fault of a broker's certificate, and the texts that the error must contain."""

    name: str = "127.0.0.1"
    expired: bool = False
    says: tuple[str, ...]


CERTIFICATES = {
    "expired": Certificate(expired=True, says=("certificate has expired", "give the broker a new certificate")),
    "another name": Certificate(
        name="another.host", says=("certificate is not valid for '127.0.0.1'", f"{PREFIX}SSL_CHECK_HOSTNAME")
    ),
}


@contextmanager
def presenting(kafka: SecuredKafka, wrong: Certificate) -> Iterator[None]:
    """Restart Kafka with a faulty certificate, and afterwards with a good one."""
    server, listener = kafka.broker.server, kafka.listener
    assert server is not None
    try:
        listener.present(name=wrong.name, expired=wrong.expired)
        server.go_down()
        server.come_up()
        assert server.answers()
        yield
    finally:
        listener.present()
        server.go_down()
        server.come_up()
        assert server.answers()


@pytest.mark.parametrize("kind", ["expired", "another name"])
async def test_running_workers_hold_and_name_the_certificate_until_there_is_a_good_one(
    secured_kafka: SecuredKafka, tmp_path: Path, kind: str
) -> None:
    wrong = CERTIFICATES[kind]
    broker, settings = secured_kafka.broker, secured_kafka.listener.settings(TOPIC_WATCH_SECONDS="0.2")
    async with running_pipeline(broker, tmp_path, partitions=2, **settings) as pipeline:
        workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
        for worker in workers:
            assert await worker.said("/readyz", '"ready') == 200
        with presenting(secured_kafka, wrong):
            for worker in workers:
                for text in wrong.says:
                    assert await worker.said("/readyz", text) == 503
                assert await worker.said("/metrics", 'onesignal_pipeline_holding{reason="certificate"} 1.0') == 200
                assert (await worker.get("/healthz"))[0] == 200
            code, text = await check_topics(settings)
            assert code == ExitCode.FAILED
            assert all(each in text for each in wrong.says)
        events = [click(number, f"u-{number % 20}") for number in range(EVENTS)]
        await asyncio.to_thread(produce, broker.bootstrap_servers, pipeline.raw_topic, events)
        await pipeline.accepted(EVENTS)
        await pipeline.settled()
        for worker in workers:
            assert await worker.said("/readyz", '"ready') == 200
            assert await worker.said("/metrics", 'onesignal_pipeline_holding{reason="certificate"} 0.0') == 200
        assert settings["KAFKA_SASL_PASSWORD"] not in pipeline.logs()
