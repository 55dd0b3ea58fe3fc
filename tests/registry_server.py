"""A real schema registry for the tests: Apicurio on loopback, from a Maven artifact."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.runtime.leash import leashed
from tests.kafka_program import cache_directory

if TYPE_CHECKING:
    from types import TracebackType

VERSION = "3.3.3"
JAVA_VERSION = 21

_FETCH_SECONDS = 900
_START_SECONDS = 90
_STOP_SECONDS = 20
_PROBE_SECONDS = 0.2
_LOG_TAIL_LINES = 20
_ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"


class RegistryUnavailableError(Exception):
    """A requirement of the real registry is missing on this machine; the text lists what to install."""


class RegistryServerError(Exception):
    """The registry could not be fetched or did not start; the text ends with the tail of its log."""


def find_java() -> str:
    """Return a Java that is new enough, from the path or from the folder where Debian and Temurin install Java.

    Raises:
        RegistryUnavailableError: there is no such Java.
    """
    candidates = [shutil.which("java"), *(str(path) for path in sorted(Path("/usr/lib/jvm").glob("*/bin/java")))]
    for java in candidates:
        if java is not None and _java_version(java) >= JAVA_VERSION:
            return java
    message = f"a real schema registry needs Java {JAVA_VERSION} or newer (Debian: a package openjdk-*-jre-headless)"
    raise RegistryUnavailableError(message)


def _java_version(java: str) -> int:
    run = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    match = re.search(r'version "(\d+)', run.stderr)
    return int(match[1]) if match else 0


def fetch() -> Path:
    """Fetch the registry with Maven, once, into the folder that also contains Kafka's jars.

    Raises:
        RegistryServerError: Maven fails, or is missing.
    """
    directory = cache_directory() / f"apicurio-{VERSION}"
    if directory.exists():
        return directory
    maven = shutil.which("mvn")
    if maven is None:
        message = "Maven is missing (Debian: apt-get install maven)"
        raise RegistryServerError(message)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=directory.parent) as name:
        command = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={name}"]
        run = subprocess.run(command, cwd=name, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False)
        if run.returncode:
            message = f"Maven could not fetch Apicurio {VERSION}:\n{run.stdout}{run.stderr}"
            raise RegistryServerError(message)
        (archive,) = Path(name).glob("*.tar.gz")
        unpacked = Path(name) / "unpacked"
        with tarfile.open(archive) as packed:
            packed.extractall(unpacked, filter="data")
        with suppress(OSError):  # another run was first: its folder is complete, ours is deleted
            unpacked.rename(directory)
    return directory


class RegistryServer:
    """A registry. Registered schemas are kept over ``stop`` and ``start``, and deleted by ``close``."""

    def __init__(self) -> None:
        self._java = find_java()
        self._program = next(iter(fetch().rglob("quarkus-run.jar")))
        self._directory = Path(tempfile.mkdtemp(prefix="onesignal-pipeline-registry-"))
        self._port, self._other_port = _free_ports()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of its Confluent-compatible API."""
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the registry. Call this from a thread that lives as long as the program: the process ends with it."""
        environment = {
            **os.environ,
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(self._port),
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
            "QUARKUS_MANAGEMENT_PORT": str(self._other_port),
            "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{self._directory / 'registry'}",
        }
        with (self._directory / "registry.log").open("ab") as log:
            self._process = subprocess.Popen(
                leashed([self._java, "-Xmx384m", "-jar", str(self._program)]),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def wait(self) -> None:
        """Wait until the registry answers."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                message = f"the registry did not start:\n{self._log_tail()}"
                raise RegistryServerError(message)
            time.sleep(_PROBE_SECONDS)

    def stop(self) -> None:
        """Stop the registry; its port stays reserved for it."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self) -> None:
        """Stop the registry and delete its files."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=2) as answer:  # noqa: S310 -- our own
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _log_tail(self) -> str:
        text = (self._directory / "registry.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-_LOG_TAIL_LINES:])


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]
