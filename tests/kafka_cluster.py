"""A real Kafka with three nodes on loopback, for tests of leader changes."""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka_program import KafkaProgram, KafkaServerError, new_cluster_id, node_properties
from tests.loopback import free_ports

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from types import TracebackType

    from confluent_kafka.admin._metadata import PartitionMetadata

NODES = 3

_START_SECONDS = 90
_PROBE_SECONDS = 1
_STOP_SECONDS = 20
_LOG_TAIL_LINES = 20
_REPLICATED = {
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # A killed node is fenced after this silence; a test waits for it.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
}


@dataclass(slots=True, kw_only=True)
class _Node:
    number: int
    directory: Path
    properties: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def configuration(self) -> Path:
        return self.directory / "server.properties"

    @property
    def log_file(self) -> Path:
        return self.directory / "kafka.log"


class KafkaCluster:
    """Three running nodes, each broker and controller; they stop with ``close`` or when this process ends.

    Raises:
        KafkaUnavailableError: when Java or Maven is missing.
        KafkaServerError: when Kafka cannot be fetched or does not start.
    """

    def __init__(self, *, heap_megabytes: int = 512) -> None:
        """Start the nodes on free loopback ports with their files in a temporary directory."""
        self._program = KafkaProgram()
        self._heap_megabytes = heap_megabytes
        self._directory = Path(tempfile.mkdtemp(prefix="onesignal-pipeline-kafka-"))
        free = free_ports(2 * NODES)
        ports, controller_ports = free[:NODES], free[NODES:]
        self.bootstrap_servers = ",".join(f"127.0.0.1:{port}" for port in ports)
        self._nodes = {number: self._node(number, port, controller_ports) for number, port in enumerate(ports, 1)}
        try:
            self._format()
            for number in self._nodes:
                self.start(number)
            self._await_nodes()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the running cluster."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the nodes."""
        self.close()

    def leader(self, topic: str, partition: int) -> int:
        """Return the number of the node that leads a partition."""
        return int(self._partitions(topic)[partition].leader)

    def in_sync(self, topic: str) -> bool:
        """Return whether all replicas of every partition are in sync."""
        return all(len(each.isrs) == NODES for each in self._partitions(topic).values())

    def start(self, number: int) -> None:
        """Start a node with its stored data. Call this from the main thread: the node ends with the thread."""
        node = self._nodes[number]
        node.process = self._program.launch(node.configuration, node.log_file, heap_megabytes=self._heap_megabytes)

    def kill(self, number: int) -> None:
        """Kill a node, like a power failure."""
        process = self._nodes[number].process
        if process is not None:
            process.kill()
            process.wait()

    def stop(self, number: int) -> None:
        """Stop a node cleanly: it hands over its leaderships first."""
        process = self._nodes[number].process
        if process is not None:
            process.terminate()
            process.wait(_STOP_SECONDS)

    def close(self) -> None:
        """Kill the nodes and delete their files; idempotent."""
        for number in self._nodes:
            self.kill(number)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _node(self, number: int, port: int, controller_ports: list[int]) -> _Node:
        directory = self._directory / str(number)
        directory.mkdir()
        voters = (f"{each}@127.0.0.1:{its_port}" for each, its_port in enumerate(controller_ports, 1))
        properties = {
            **node_properties(port, controller_ports[number - 1], directory / "logs"),
            "node.id": str(number),
            "controller.quorum.voters": ",".join(voters),
            **_REPLICATED,
        }
        return _Node(number=number, directory=directory, properties=properties)

    def _format(self) -> None:
        cluster_id = new_cluster_id()
        with ThreadPoolExecutor(NODES) as pool:
            runs = [
                pool.submit(self._program.format, node.configuration, node.properties, cluster_id=cluster_id)
                for node in self._nodes.values()
            ]
        for run in runs:
            run.result()

    def _await_nodes(self) -> None:
        admin = self._admin()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._all_run():
            with suppress(KafkaException):
                if len(admin.list_topics(timeout=_PROBE_SECONDS).brokers) == NODES:
                    return
        tails = (self._log_tail(node) for node in self._nodes.values())
        raise KafkaServerError("The three nodes of Kafka did not start:\n" + "\n".join(tails))

    def _all_run(self) -> bool:
        return all(node.process is not None and node.process.poll() is None for node in self._nodes.values())

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def _partitions(self, topic: str) -> dict[int, PartitionMetadata]:
        return self._admin().list_topics(topic, timeout=_START_SECONDS).topics[topic].partitions

    def _log_tail(self, node: _Node) -> str:
        if not node.log_file.exists():
            return ""
        lines = node.log_file.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "\n".join([f"--- node {node.number}", *lines])
