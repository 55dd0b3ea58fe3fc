"""The stack of docker-compose.yml as processes of this machine: its commands and settings, at addresses of here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.runtime.leash import leashed
from tests.kafka_program import KafkaProgram
from tests.loopback import free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.deploy.compose import Service

HEALTHY_SECONDS: Final = 90
_LOOK_AGAIN_SECONDS: Final = 0.2
_PORTS: Final = {
    "kafka": (19092, 9092, 9093),
    "segment": (8090,),
    "processor": (8080,),
    "segment-sink": (8080,),
    "mixpanel": (8091,),
    "mixpanel-processor": (8080,),
    "mixpanel-sink": (8080,),
    "prometheus": (9090,),
}
# What a container has and a process of this machine has not.
_OF_A_WORKER: Final = {"PIPELINE_HTTP_HOST": "127.0.0.1", "PIPELINE_HTTP_PORT": "8080"}
_NO_PROPERTY: Final = {"KAFKA_HEAP_OPTS"}


@dataclass(slots=True, kw_only=True)
class Stack:
    """Starts services one by one, in the order in which Compose would, and with what it would wait for."""

    folder: Path
    prometheus: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _ports: dict[tuple[str, int], int] = field(init=False)

    def __post_init__(self) -> None:
        """Choose a free port of this machine for each port of a container."""
        container_ports = [(name, port) for name, ports in _PORTS.items() for port in ports]
        self._ports = dict(zip(container_ports, free_ports(len(container_ports)), strict=True))

    def address(self, service: str, port: int) -> str:
        """Return the address of a service's port on this machine."""
        return f"127.0.0.1:{self._ports[service, port]}"

    def start(self, service: Service, services: Mapping[str, Service]) -> None:
        """Start a service when what it waits for has come to pass."""
        for name, condition in service.waits_for.items():
            if condition == "service_completed_successfully":
                assert self.processes[name].wait(HEALTHY_SECONDS) == 0, self.log(name)
            else:
                assert condition == "service_healthy"
                self._await_health(services[name])
        environment = {name: self._here(service.name, value) for name, value in service.environment.items()}
        self.processes[service.name] = (
            self._start_kafka(environment) if service.name == "kafka" else self._start_program(service, environment)
        )

    def stop(self, name: str, seconds: float) -> int:
        """Terminate a process, as Compose does, and return its exit code."""
        self.processes[name].terminate()
        return self.processes[name].wait(seconds)

    def kill(self) -> None:
        """End every process that still runs."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    def log(self, name: str) -> str:
        """Return the end of what a service said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def _start_kafka(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Configure Kafka as its image does: each variable is a property."""
        names = [name for name in environment if name.startswith("KAFKA_") and name not in _NO_PROPERTY]
        properties = {name.removeprefix("KAFKA_").lower().replace("_", "."): environment[name] for name in names}
        properties["log.dirs"] = str(self.folder / "kafka")
        program = KafkaProgram()
        program.format(self.folder / "kafka.properties", properties, cluster_id=environment["CLUSTER_ID"])
        heap = int(re.findall(r"-Xmx(\d+)m", environment["KAFKA_HEAP_OPTS"])[0])
        return program.launch(self.folder / "kafka.properties", self.folder / "kafka.log", heap_megabytes=heap)

    def _start_program(self, service: Service, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{service.name}.log").open("wb") as log:
            return subprocess.Popen(
                leashed(self._command(service)),
                env=self._environment(service, environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _environment(self, service: Service, environment: Mapping[str, str]) -> dict[str, str]:
        own = {name: self._here(service.name, value) for name, value in _OF_A_WORKER.items()} if service.is_ours else {}
        return {"PATH": os.environ["PATH"], "TMPDIR": str(self.folder), **own, **environment}

    def _command(self, service: Service) -> list[str]:
        if service.name == "prometheus":
            listen = f"--web.listen-address={self.address('prometheus', 9090)}"
            return [self.prometheus, *(self._laid_out(each, service) for each in service.command), listen]
        program, *arguments = service.command
        return [_program(program), *(self._here(service.name, each) for each in arguments)]

    def _laid_out(self, argument: str, service: Service) -> str:
        """Lay out the files that an argument names, as they are mounted, and name them by where they are here."""
        for mount in service.resolved["volumes"]:
            target = self.folder / mount["target"].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if mount["type"] == "volume":
                target.mkdir(exist_ok=True)
            elif Path(mount["source"]).is_dir():
                shutil.copytree(mount["source"], target, dirs_exist_ok=True)
            else:
                text = Path(mount["source"]).read_text(encoding="utf-8")
                target.write_text(self._here(service.name, text), encoding="utf-8")
        return re.sub(r"=(/.*)", lambda path: f"={self.folder}{path[1]}", argument)

    def _await_health(self, service: Service) -> None:
        deadline = time.monotonic() + HEALTHY_SECONDS
        while not self._is_healthy(service):
            code = self.processes[service.name].poll()
            assert code is None, f"{service.name} ended with {code}:\n{self.log(service.name)}"
            assert time.monotonic() < deadline, f"{service.name} is not healthy:\n{self.log(service.name)}"
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _is_healthy(self, service: Service) -> bool:
        program, *arguments = service.healthcheck
        arguments = [self._here(service.name, each) for each in arguments]
        match program:
            case "python3":
                environment = self._environment(service, {})
                command = [sys.executable, *arguments]
                return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
            case "wget":
                return _answers(arguments[-1])
            case _:  # Kafka's own program, which asks a broker what it can do
                return _is_broker(arguments[-1])

    def _here(self, service: str, text: str) -> str:
        """Rewrite addresses: every name of a container, and every port, to where it is on this machine."""
        text = text.replace("://:", "://127.0.0.1:").replace("0.0.0.0", "127.0.0.1").replace("localhost", "127.0.0.1")  # noqa: S104

        def moved(found: re.Match[str]) -> str:
            host, port = found["host"] or "", int(found["port"])
            name = host.rstrip(":") if host.rstrip(":") in _PORTS else service
            here = self._ports.get((name, port))
            return found[0] if here is None else f"{'127.0.0.1:' if name in host else host}{here}"

        return re.sub(r"(?P<host>[\w.-]+:)?\b(?P<port>\d{4,5})\b", moved, text)


def _program(name: str) -> str:
    return sys.executable if name == "python3" else str(Path(sys.executable).parent / name)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 -- an address of the compose file's
            return bool(answer.status == 200)
    except OSError:
        return False


def _is_broker(address: str) -> bool:
    try:
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        return bool(admin.list_topics(timeout=1).brokers)
    except KafkaException:
        return False
