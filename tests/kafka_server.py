"""A real Apache Kafka for the tests and for manual use: one KRaft node on loopback, from Maven artifacts.

``python -m tests.kafka_server`` (``make kafka``) starts one and stops it with Ctrl-C.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka_program import (
    KAFKA_VERSION,
    KafkaProgram,
    KafkaServerError,
    KafkaUnavailableError,
    find_tools,
    new_cluster_id,
    node_properties,
)
from tests.loopback import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

__all__ = ["KAFKA_VERSION", "KafkaServer", "KafkaServerError", "KafkaUnavailableError", "find_tools"]

_START_SECONDS = 60
_PROBE_SECONDS = 1
_STOP_SECONDS = 20
_START_ATTEMPTS = 3  # a free port may be taken by another program before Kafka binds it
_LOG_TAIL_LINES = 20


class KafkaServer:
    """A running Kafka; it stops with ``close``, at the end of a ``with`` block, or when this process ends.

    ``properties`` override or extend the usual server properties; ``storage_options`` are passed to Kafka's storage
    tool.

    Raises:
        KafkaUnavailableError: when Java or Maven is missing.
        KafkaServerError: when Kafka cannot be fetched or does not start.
    """

    def __init__(
        self,
        *,
        heap_megabytes: int = 1024,
        properties: Callable[[int, int], Mapping[str, str]] = lambda _port, _controller_port: {},
        storage_options: Sequence[str] = (),
    ) -> None:
        """Start Kafka on free loopback ports with its files in a temporary directory."""
        self._program = KafkaProgram()
        self._heap_megabytes = heap_megabytes
        self._properties = properties
        self._storage_options = storage_options
        self._directory = Path(tempfile.mkdtemp(prefix="onesignal-pipeline-kafka-"))
        self._configuration = self._directory / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
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
        """The file of Kafka's own log."""
        return self._directory / "kafka.log"

    def segment_file(self, topic: str, partition: int) -> Path:
        """Return the first log segment of a partition."""
        return self._directory / "logs" / f"{topic}-{partition}" / f"{0:020d}.log"

    @property
    def process_id(self) -> int | None:
        """The process id of the server; None while it is down."""
        return None if self._process is None else self._process.pid

    def freeze(self) -> None:
        """Suspend the process without closing a connection: for clients, an outage without any answer.

        Returns once the process is suspended: on a busy machine a signal takes effect late, and answers are still sent
        until then.
        """
        self._signal(signal.SIGSTOP)
        if self._process is not None:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Resume after ``freeze``."""
        self._signal(signal.SIGCONT)

    def go_down(self, *, crash: bool = False) -> None:
        """End the process and keep its data; ``crash`` kills it without a clean shutdown."""
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
        """Start again after ``go_down``, on the same ports and files. Use `answers` to wait for it.

        Call this from a thread that lives as long as the program: the process ends with it.
        """
        if self._process is None:
            self._process = self._launch()

    def answers(self) -> bool:
        """Wait until Kafka answers; return False if it has ended or takes too long."""
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
            port, controller_port = free_ports(2)
            self._format(port, controller_port)
            self._process = self._launch()
            if self._answers(f"127.0.0.1:{port}"):
                return f"127.0.0.1:{port}"
        message = f"Kafka did not start:\n{self._log_tail()}"
        raise KafkaServerError(message)

    def _format(self, port: int, controller_port: int) -> None:
        usual = node_properties(port, controller_port, self._directory / "logs")
        properties = {**usual, **self._properties(port, controller_port)}
        self._program.format(
            self._configuration, properties, cluster_id=new_cluster_id(), options=self._storage_options
        )

    def _launch(self) -> subprocess.Popen[bytes]:
        return self._program.launch(self._configuration, self.log_file, heap_megabytes=self._heap_megabytes)

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
    """Run Kafka until Ctrl-C or SIGTERM."""
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
