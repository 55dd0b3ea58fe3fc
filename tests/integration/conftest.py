"""Broker fixtures: a test with the fixture ``broker`` runs once on each chosen broker.

``--broker embedded|real|both`` (or ``TEST_BROKER``) chooses. ``KAFKA_BOOTSTRAP_SERVERS`` is the address of an existing
cluster; without it a real Kafka is started once for each session. Without Java the tests on a real broker are skipped,
and the reason lists what to install; with ``CI=true`` that is a failure.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from pipeline.local.broker import EmbeddedBroker
from tests.integration.brokers import Broker, BrokerKind
from tests.kafka_cluster import KafkaCluster
from tests.kafka_security import SecureListener
from tests.kafka_server import KafkaServer, KafkaUnavailableError, find_tools

if TYPE_CHECKING:
    from collections.abc import Iterator

REAL_KAFKAS = frozenset({"real_kafka", "secured_kafka", "kafka_cluster"})
"""Fixtures that start a real Kafka."""
PATIENT: Final = {"broker.session.timeout.ms": "600000"}
"""A frozen Kafka resumes where it stopped. With the default timeout its controller sometimes fences its own broker and
reports no brokers for a moment, and librdkafka's admin client then waits for half a minute and more."""


def _chosen(config: pytest.Config) -> tuple[BrokerKind, ...]:
    choice: str = config.getoption("--broker")
    return tuple(BrokerKind) if choice == "both" else (BrokerKind(choice),)


def _possible(definition: pytest.Item) -> tuple[BrokerKind, ...]:
    if definition.get_closest_marker("real_only"):
        return (BrokerKind.REAL,)
    if definition.get_closest_marker("embedded_only"):
        return (BrokerKind.EMBEDDED,)
    return tuple(BrokerKind)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize each test that uses a broker with the chosen brokers that it can run on."""
    if "broker" not in metafunc.fixturenames:
        return
    chosen = _chosen(metafunc.config)
    kinds = [
        pytest.param(
            kind, id=kind.value, marks=[] if kind in chosen else [pytest.mark.skip(f"--broker excludes {kind}")]
        )
        for kind in _possible(metafunc.definition)
    ]
    metafunc.parametrize("broker", kinds, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that do not use the chosen broker, when only one kind of broker is chosen."""
    chosen = _chosen(config)
    if BrokerKind.REAL not in chosen:
        without = [item for item in items if _fixtures(item) & REAL_KAFKAS]
    elif chosen == (BrokerKind.REAL,):
        without = [item for item in items if not _fixtures(item) & {"broker", *REAL_KAFKAS}]
    else:
        return
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if item not in without]


def _fixtures(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


def _need_kafkas_tools() -> None:
    """Skip tests that need our own Kafka if none can be started; with CI=true that is a failure."""
    try:
        find_tools()
    except KafkaUnavailableError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def real_kafka() -> Iterator[KafkaServer | str]:
    """A real Kafka for the session: the address of an existing one, or one that is started here."""
    address = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if address:
        yield address
        return
    _need_kafkas_tools()
    with KafkaServer(properties=lambda *_ports: PATIENT) as server:
        yield server


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuredKafka:
    """A real Kafka with a secured listener; ``broker`` is its plaintext listener, for the test's own client."""

    broker: Broker
    listener: SecureListener


@pytest.fixture(scope="module")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """A Kafka for one test module that requires TLS and a password."""
    _need_kafkas_tools()
    listener = SecureListener(tmp_path_factory.mktemp("certificates"))
    with KafkaServer(
        heap_megabytes=512, properties=listener.properties, storage_options=listener.storage_options
    ) as server:
        broker = Broker(kind=BrokerKind.REAL, bootstrap_servers=server.bootstrap_servers, server=server)
        yield SecuredKafka(broker=broker, listener=listener)


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker of the chosen kind; each test gets a new embedded broker."""
    kind: BrokerKind = request.param
    match kind:
        case BrokerKind.EMBEDDED:
            with EmbeddedBroker() as embedded:
                yield Broker(kind=kind, bootstrap_servers=embedded.bootstrap_servers, embedded=embedded)
        case BrokerKind.REAL:
            kafka: KafkaServer | str = request.getfixturevalue("real_kafka")
            if isinstance(kafka, str):
                yield Broker(kind=kind, bootstrap_servers=kafka)
            else:
                yield Broker(kind=kind, bootstrap_servers=kafka.bootstrap_servers, server=kafka)


@pytest.fixture(scope="module")
def kafka_cluster() -> Iterator[KafkaCluster]:
    """A cluster of three nodes for one test module."""
    _need_kafkas_tools()
    with KafkaCluster() as cluster:
        yield cluster
