"""A real Kubernetes API on loopback, with its controllers, its scheduler, and a node without a kubelet.

Objects are validated, admitted, defaulted, scheduled and garbage-collected as anywhere. No container runs: Pods on the
simulated node become ready at once, and the Pods of a Job complete.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.deploy import control_plane, toolbox
from tests.deploy.control_plane import Access, Ports, Program
from tests.loopback import free_ports

if TYPE_CHECKING:
    from types import TracebackType

NODE: Final = "fake-0"

_START_SECONDS: Final = 90
_START_ATTEMPTS: Final = 3  # a free port may be taken by another program before it is bound
_COMMAND_SECONDS: Final = 120
_PROBE_SECONDS: Final = 0.2
_WAIT_SECONDS: Final = 5  # of kubectl's own waiting, between looks at whether all programs still run
_NODE: Final = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE, "topology.kubernetes.io/zone": "zone-0"}},
    "status": {
        kind: {"cpu": "32", "memory": "64Gi", "ephemeral-storage": "100Gi", "pods": "110"}
        for kind in ("allocatable", "capacity")
    },
}


class ClusterError(Exception):
    """The cluster did not start, or a command in it failed; the text tells what was said."""


class Cluster:
    """A running cluster that knows the chart's custom resources; it ends with ``close``, or with this process.

    Raises:
        ToolsUnavailableError: a program has not been built.
        ClusterError: the cluster does not start.
    """

    def __init__(self) -> None:
        """Start everything on free ports, with all files in a temporary directory."""
        programs = ("kubectl", "helm", *control_plane.PROGRAMS)
        self._tools = {program: toolbox.tool(program) for program in programs}
        self._directory = Path(tempfile.mkdtemp(prefix="onesignal-pipeline-kubernetes-"))
        self._running: list[Program] = []
        self.pids: list[int] = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the running cluster."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the cluster."""
        self.close()

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment must say; nothing of the person's own configuration is read or written."""
        kept = {name: str(self._directory / name) for name in ("cache", "config", "data")}
        return {
            **os.environ,
            "KUBECONFIG": str(self._directory / "kubeconfig"),
            "KUBECACHEDIR": kept["cache"],
            **{f"HELM_{name.upper()}_HOME": path for name, path in kept.items()},
        }

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl as the cluster's administrator and return what it prints.

        Raises:
            ClusterError: it fails.
        """
        return self._run("kubectl", arguments, stdin)

    def helm(self, *arguments: str, stdin: str = "") -> str:
        """Run Helm as the cluster's administrator and return what it prints.

        Raises:
            ClusterError: it fails.
        """
        return self._run("helm", arguments, stdin)

    def apply(self, *manifests: object) -> str:
        """Apply objects, given as they are in JSON, with strict validation: an unknown field is an error.

        Raises:
            ClusterError: one is refused.
        """
        listed = {"apiVersion": "v1", "kind": "List", "items": manifests}
        return self.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=json.dumps(listed))

    def close(self) -> None:
        """Stop everything and delete its files; idempotent."""
        self._stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self) -> None:
        access = Access.make(self._directory)
        for attempt in range(1, _START_ATTEMPTS + 1):
            deadline = time.monotonic() + _START_SECONDS
            try:
                self._start_programs(access, deadline)
            except ClusterError:
                self._stop()
                if attempt == _START_ATTEMPTS or time.monotonic() >= deadline:
                    raise
            else:
                return

    def _start_programs(self, access: Access, deadline: float) -> None:
        ports = Ports(*free_ports(len(Ports._fields)))
        access.write_kubeconfig(ports.api)
        shutil.rmtree(self._directory / "etcd", ignore_errors=True)
        self._launch("etcd", control_plane.etcd(self._directory / "etcd", ports))
        self._launch("kube-apiserver", control_plane.api_server(access, ports))
        self._await("the API", deadline, "get", "--raw", "/readyz")
        self._launch("kube-controller-manager", control_plane.controllers(access, ports))
        self._launch("kube-scheduler", control_plane.scheduler(access, ports))
        self._launch("kwok", control_plane.kwok(access, ports, toolbox.kwok_stages()))
        self.kubectl("create", "-f", "-", stdin=json.dumps(_NODE))
        self.kubectl("apply", "--server-side", "-f", str(toolbox.crd_directory()))
        seconds = f"--timeout={_WAIT_SECONDS}s"
        self._await("the node", deadline, "wait", "--for=condition=Ready", seconds, f"node/{NODE}")
        self._await("the custom resources", deadline, "wait", "--for=condition=Established", seconds, "crd", "--all")
        self._await("the controllers", deadline, "get", "serviceaccount", "default")

    def _launch(self, name: str, arguments: list[str]) -> None:
        program = Program.launch(self._tools[name], arguments, self._directory / f"{name}.log")
        self._running.append(program)
        self.pids.append(program.process.pid)

    def _await(self, what: str, deadline: float, *command: str) -> None:
        """Repeat a command of kubectl until it succeeds, as long as all programs run."""
        while True:
            try:
                self.kubectl(*command)
            except ClusterError as error:
                if ended := [program for program in self._running if program.process.poll() is not None]:
                    raise ClusterError(f"{ended[0].name} has ended:\n{ended[0].log_tail()}") from error
                if time.monotonic() >= deadline:
                    logs = "\n".join(program.log_tail() for program in self._running)
                    raise ClusterError(f"{what} did not come up in {_START_SECONDS} s: {error}\n{logs}") from error
                time.sleep(_PROBE_SECONDS)
            else:
                return

    def _run(self, name: str, arguments: tuple[str, ...], stdin: str) -> str:
        command = [str(self._tools[name]), *arguments]
        try:
            run = subprocess.run(
                command,
                cwd=self._directory,
                env=self.environment,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"{name} {' '.join(arguments)} took longer than {_COMMAND_SECONDS} s") from error
        if run.returncode:
            raise ClusterError(f"{name} {' '.join(arguments)} failed:\n{run.stdout}{run.stderr}")
        return run.stdout

    def _stop(self) -> None:
        # Who watches goes before who is watched, and the store goes last: nothing waits for what is gone already.
        while self._running:
            self._running.pop().stop()
