"""Apache Kafka on this machine: the jars, from Maven, and the processes that are started from them."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.leash import leashed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KAFKA_VERSION = "4.1.0"

_FETCH_SECONDS = 600
_FORMAT_SECONDS = 60

_POM = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>onesignal-pipeline</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


class KafkaUnavailableError(Exception):
    """A requirement of a real Kafka is missing on this machine; the text lists what to install."""


class KafkaServerError(Exception):
    """Kafka could not be fetched or did not start; the text ends with the tail of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tools:
    java: str
    maven: str | None


def cache_directory() -> Path:
    """Return the folder for downloads that are kept between runs, outside any clone."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "onesignal-pipeline"


def jar_directory() -> Path:
    """Return the folder of Kafka's jars."""
    return cache_directory() / f"kafka-{KAFKA_VERSION}"


def find_tools() -> _Tools:
    """Find Java, and Maven unless the jars are already there.

    Raises:
        KafkaUnavailableError: when one is missing.
    """
    java, maven = shutil.which("java"), shutil.which("mvn")
    missing = [] if java else ["Java 17 or newer (Debian: apt-get install default-jre-headless)"]
    if not maven and not jar_directory().exists():
        missing.append("Maven (Debian: apt-get install maven)")
    if missing or not java:
        message = (
            f"a real Kafka needs {' and '.join(missing)}; install it, point KAFKA_BOOTSTRAP_SERVERS at a cluster "
            "that is there, or choose --broker embedded"
        )
        raise KafkaUnavailableError(message)
    return _Tools(java=java, maven=maven)


def fetch_jars(maven: str | None) -> Path:
    """Fetch Kafka and its dependencies with Maven, once. Concurrent runs do not disturb each other.

    Raises:
        KafkaServerError: when Maven fails.
    """
    jars = jar_directory()
    if jars.exists():
        return jars
    if not maven:
        message = "Maven is missing"
        raise KafkaServerError(message)
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=jars.parent) as name:
        directory = Path(name)
        (directory / "pom.xml").write_text(_POM, encoding="utf-8")
        command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
        run = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
        )
        if run.returncode:
            message = f"Maven could not fetch Kafka {KAFKA_VERSION}:\n{run.stdout}{run.stderr}"
            raise KafkaServerError(message)
        with suppress(OSError):  # another run was first: its folder is complete, ours is deleted
            (directory / "jars").rename(jars)
    return jars


def new_cluster_id() -> str:
    """Return a new cluster id, with which every node of the cluster is formatted."""
    # Letters and digits only: an id that starts with a dash would be parsed as an option.
    return base64.b64encode(uuid.uuid4().bytes, altchars=b"xy").decode().rstrip("=")


def node_properties(port: int, controller_port: int, log_directory: Path) -> dict[str, str]:
    """Return the properties of a single-node cluster, with short intervals for failure detection and log cleaning."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(log_directory),
        "num.partitions": "1",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.backoff.ms": "500",
        "log.retention.check.interval.ms": "1000",
        "log.segment.delete.delay.ms": "1000",
    }


class KafkaProgram:
    """Kafka's own programs.

    Raises:
        KafkaUnavailableError: when Java or Maven is missing.
        KafkaServerError: when Kafka cannot be fetched.
    """

    def __init__(self) -> None:
        """Find Java and fetch the jars."""
        tools = find_tools()
        self._java = tools.java
        self._class_path = str(fetch_jars(tools.maven) / "*")

    def format(
        self, configuration: Path, properties: Mapping[str, str], *, cluster_id: str, options: Sequence[str] = ()
    ) -> None:
        """Write a node's configuration and format its storage; ``options`` are passed to Kafka's storage tool.

        Raises:
            KafkaServerError: the tool fails.
        """
        shutil.rmtree(properties["log.dirs"], ignore_errors=True)
        lines = (f"{name}={value}\n" for name, value in properties.items())
        configuration.write_text("".join(lines), encoding="utf-8")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(configuration), *options]
        command = [self._java, "-Xmx128m", "-cp", self._class_path, *tool]
        run = subprocess.run(command, capture_output=True, text=True, timeout=_FORMAT_SECONDS, check=False)
        if run.returncode:
            message = f"Kafka's storage could not be formatted:\n{run.stdout}{run.stderr}"
            raise KafkaServerError(message)

    def launch(self, configuration: Path, log_file: Path, *, heap_megabytes: int) -> subprocess.Popen[bytes]:
        """Start a node that ends with this process."""
        heap = ["-Xms256m", f"-Xmx{heap_megabytes}m", "-XX:+ExitOnOutOfMemoryError"]
        server = ["kafka.Kafka", str(configuration)]
        command = leashed([self._java, *heap, "-cp", self._class_path, *server])
        with log_file.open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, process_group=0
            )
