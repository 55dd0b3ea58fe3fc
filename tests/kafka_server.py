"""A real Apache Kafka for the tests and for people: one KRaft node on loopback, out of Maven artifacts.

``python -m tests.kafka_server`` (``make kafka``) starts one and stops it with Ctrl-C.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.local.leash import leashed

if TYPE_CHECKING:
    from types import TracebackType

KAFKA_VERSION = "4.1.0"

_FETCH_SECONDS = 600
_FORMAT_SECONDS = 60
_START_SECONDS = 60
_PROBE_SECONDS = 1
_STOP_SECONDS = 20
_START_ATTEMPTS = 3  # a free port may be taken by another program before Kafka binds it
_LOG_TAIL_LINES = 20

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
    """This machine lacks what a real Kafka needs; the text says what to install."""


class KafkaServerError(Exception):
    """Kafka could not be fetched or did not start; the text ends with the tail of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tools:
    java: str
    maven: str | None


def jar_directory() -> Path:
    """Return where Kafka's jars are kept between runs, outside any clone."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "onesignal-pipeline" / f"kafka-{KAFKA_VERSION}"


def find_tools() -> _Tools:
    """Find Java, and Maven unless the jars are there already.

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
    """Fetch Kafka and what it needs by Maven, once; two runs at the same time do not disturb each other.

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
        with suppress(OSError):  # the other run was first: its folder is complete, ours is thrown away
            (directory / "jars").rename(jars)
    return jars


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _listeners(port: int, proxied: tuple[int, int] | None) -> tuple[str, str]:
    """Name the listeners of clients: what is bound, and what clients are told."""
    bound = told = f"PLAINTEXT://127.0.0.1:{port}"
    if proxied is None:
        return bound, told
    own_port, proxy_port = proxied
    return f"{bound},PROXIED://127.0.0.1:{own_port}", f"{told},PROXIED://127.0.0.1:{proxy_port}"


def _properties(port: int, controller_port: int, log_directory: Path, proxied: tuple[int, int] | None) -> str:
    bound, told = _listeners(port, proxied)
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"{bound},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": told,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
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
    if proxied is not None:  # it will be killed: the controller must soon forget the broker that was
        lines |= {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"}
    return "".join(f"{name}={value}\n" for name, value in lines.items())


class KafkaServer:
    """A running Kafka; it stops with ``close``, at the end of a ``with`` block, or when this process dies.

    Raises:
        KafkaUnavailableError: when Java or Maven is missing.
        KafkaServerError: when Kafka cannot be fetched or does not start.
    """

    def __init__(self, *, heap_megabytes: int = 1024, proxy_port: int | None = None) -> None:
        """Start Kafka on free loopback ports with its files in a temporary directory.

        With ``proxy_port`` it listens at ``proxied_port`` too, and tells who comes there that it is at ``proxy_port``.
        """
        tools = find_tools()
        self._java = tools.java
        self._class_path = str(fetch_jars(tools.maven) / "*")
        self._heap_megabytes = heap_megabytes
        self._directory = Path(tempfile.mkdtemp(prefix="onesignal-pipeline-kafka-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._proxy_port = proxy_port
        self.proxied_port = 0
        try:
            self.bootstrap_servers = self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the running server."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.close()

    @property
    def log_file(self) -> Path:
        """Where Kafka's own log goes."""
        return self._directory / "kafka.log"

    def freeze(self) -> None:
        """Stop answering without closing a connection: an outage that clients see as silence."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        self._signal(signal.SIGCONT)

    def go_down(self, *, crash: bool = False) -> None:
        """End the process and keep what is stored; ``crash`` leaves it no time to say goodbye."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)
        if crash:
            process.kill()
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def come_up(self) -> None:
        """Start again after ``go_down``, on the same ports and files. `answers` tells when it is there.

        Call it from a thread that lives as long as the program: the process dies with it.
        """
        if self._process is None:
            self._process = self._launch()

    def answers(self) -> bool:
        """Wait until Kafka answers; False when it has ended or takes too long."""
        return self._answers(self.bootstrap_servers)

    def close(self) -> None:
        """Stop Kafka and delete its files; idempotent."""
        self.go_down()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _start(self) -> str:
        for _attempt in range(_START_ATTEMPTS):
            port, controller_port, self.proxied_port = _free_ports(3)
            self._format(port, controller_port)
            self._process = self._launch()
            if self._answers(f"127.0.0.1:{port}"):
                return f"127.0.0.1:{port}"
        message = f"Kafka did not start:\n{self._log_tail()}"
        raise KafkaServerError(message)

    def _format(self, port: int, controller_port: int) -> None:
        log_directory = self._directory / "logs"
        shutil.rmtree(log_directory, ignore_errors=True)
        configuration = self._directory / "server.properties"
        proxied = None if self._proxy_port is None else (self.proxied_port, self._proxy_port)
        configuration.write_text(_properties(port, controller_port, log_directory, proxied), encoding="utf-8")
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(configuration)]
        command = [self._java, "-Xmx128m", "-cp", self._class_path, *tool]
        run = subprocess.run(command, capture_output=True, text=True, timeout=_FORMAT_SECONDS, check=False)
        if run.returncode:
            message = f"Kafka's storage could not be formatted:\n{run.stdout}{run.stderr}"
            raise KafkaServerError(message)

    def _launch(self) -> subprocess.Popen[bytes]:
        heap = ["-Xms256m", f"-Xmx{self._heap_megabytes}m", "-XX:+ExitOnOutOfMemoryError"]
        server = ["kafka.Kafka", str(self._directory / "server.properties")]
        command = leashed([self._java, *heap, "-cp", self._class_path, *server])
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, process_group=0
            )

    def _answers(self, address: str) -> bool:
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        for _attempt in range(_START_SECONDS // _PROBE_SECONDS):
            if self._process is None or self._process.poll() is not None:
                return False
            with suppress(KafkaException):
                if admin.list_topics(timeout=_PROBE_SECONDS).brokers:
                    return True
        return False

    def _log_tail(self) -> str:
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])


def main() -> int:
    """Run Kafka for a person until Ctrl-C or SIGTERM."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    try:
        with KafkaServer() as server:
            sys.stdout.write(
                f"Apache Kafka {KAFKA_VERSION} answers at {server.bootstrap_servers}\n"
                f"use it:  export KAFKA_BOOTSTRAP_SERVERS={server.bootstrap_servers}\n"
                f"its log: {server.log_file}\n"
                "Ctrl-C stops it and deletes what it stored.\n"
            )
            sys.stdout.flush()
            stopping.wait()
            sys.stdout.write("stopping\n")
    except (KafkaUnavailableError, KafkaServerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
