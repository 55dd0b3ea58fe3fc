"""The programs of a Kubernetes control plane: how each is started on loopback, and stopped."""

from __future__ import annotations

import json
import secrets
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pipeline.runtime.leash import leashed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROGRAMS: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")

_HOST: Final = "127.0.0.1"
_STOP_SECONDS: Final = 15
_LOG_TAIL_LINES: Final = 15


class Ports(NamedTuple):
    """Where each program listens."""

    store: int
    store_peers: int
    api: int
    controllers: int
    scheduler: int
    kwok: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The files by which the programs know and trust each other: certificates, keys, and the administrator's token."""

    directory: Path
    token: str

    @classmethod
    def make(cls, directory: Path) -> Access:
        """Write them into a directory."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(directory / "ca.pem")
        authority.issue_cert(_HOST).private_key_and_cert_chain_pem.write_to_path(directory / "api.pem")
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        (directory / "accounts.pem").write_bytes(pem)
        token = secrets.token_hex(16)
        (directory / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n', encoding="utf-8")
        return cls(directory=directory, token=token)

    @property
    def kubeconfig(self) -> Path:
        """What a client reads to find the API and to be let in as the administrator."""
        return self.directory / "kubeconfig"

    def write_kubeconfig(self, port: int) -> None:
        """Write it, for an API at this port."""
        cluster = {"server": f"https://{_HOST}:{port}", "certificate-authority": str(self.directory / "ca.pem")}
        configuration = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "admin"}}],
            "current-context": "tests",
        }
        self.kubeconfig.write_text(json.dumps(configuration), encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A running program and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log_file: Path

    @classmethod
    def launch(cls, program: Path, arguments: Sequence[str], log_file: Path) -> Program:
        """Start a program that ends when this process does."""
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                leashed([str(program), *arguments]),
                cwd=log_file.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        return cls(name=program.name, process=process, log_file=log_file)

    def stop(self) -> None:
        """Terminate the process, and kill it if it does not end."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log_tail(self) -> str:
        """Return the last lines that it wrote."""
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join((f"{self.name}:", *lines[-_LOG_TAIL_LINES:]))


def etcd(directory: Path, ports: Ports) -> list[str]:
    """Return the arguments of the store."""
    clients, peers = f"http://{_HOST}:{ports.store}", f"http://{_HOST}:{ports.store_peers}"
    return [
        "--name=tests",
        f"--data-dir={directory}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=tests={peers}",
        "--unsafe-no-fsync",  # what is stored need not outlive the machine
        "--log-level=warn",
    ]


def api_server(access: Access, ports: Ports) -> list[str]:
    """Return the arguments of the API server."""
    accounts = access.directory / "accounts.pem"
    return [
        f"--etcd-servers=http://{_HOST}:{ports.store}",
        f"--bind-address={_HOST}",
        f"--advertise-address={_HOST}",
        f"--secure-port={ports.api}",
        f"--tls-cert-file={access.directory / 'api.pem'}",
        f"--tls-private-key-file={access.directory / 'api.pem'}",
        f"--service-account-key-file={accounts}",
        f"--service-account-signing-key-file={accounts}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        f"--token-auth-file={access.directory / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--endpoint-reconciler-type=none",  # a loopback address is not one that Pods could reach
    ]


def controllers(access: Access, ports: Ports) -> list[str]:
    """Return the arguments of the controller manager."""
    return [
        *_client(access, ports.controllers),
        f"--service-account-private-key-file={access.directory / 'accounts.pem'}",
        f"--root-ca-file={access.directory / 'ca.pem'}",
        "--horizontal-pod-autoscaler-sync-period=1s",  # else a test waits for two of its looks, 15 s apart
    ]


def scheduler(access: Access, ports: Ports) -> list[str]:
    """Return the arguments of the scheduler."""
    return _client(access, ports.scheduler)


def kwok(access: Access, ports: Ports, stages: Sequence[Path]) -> list[str]:
    """Return the arguments of what takes the kubelets' place."""
    return [
        f"--kubeconfig={access.kubeconfig}",
        "--manage-all-nodes=true",
        *(f"--config={stage}" for stage in stages),
        f"--server-address={_HOST}:{ports.kwok}",
        "--node-lease-duration-seconds=40",
    ]


def _client(access: Access, port: int) -> list[str]:
    serving = [f"--bind-address={_HOST}", f"--secure-port={port}", f"--cert-dir={access.directory / str(port)}"]
    return [f"--kubeconfig={access.kubeconfig}", *serving, "--leader-elect=false"]
