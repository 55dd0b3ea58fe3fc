"""A second listener of the tests' Kafka: TLS with a certificate created for the run, and SCRAM authentication."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.loopback import free_ports

if TYPE_CHECKING:
    from pathlib import Path

USER = "onesignal-pipeline"
PASSWORD = "correct horse battery staple"
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")

_HOST = "127.0.0.1"
_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class SecureListener:
    """The properties of a `KafkaServer` for a SASL_SSL listener, and the settings of a client that uses it."""

    def __init__(self, folder: Path) -> None:
        """Create an authority and the broker's certificate, as files in ``folder``."""
        self._authority = authority = trustme.CA()
        self.authority_file = folder / "authority.pem"
        self.foreign_authority_file = folder / "foreign-authority.pem"
        self._broker_file = folder / "broker.pem"
        self._port = 0
        authority.cert_pem.write_to_path(str(self.authority_file))
        trustme.CA().cert_pem.write_to_path(str(self.foreign_authority_file))
        self.present()

    def present(self, *, name: str = _HOST, expired: bool = False) -> None:
        """Write another certificate for the broker; it takes effect when Kafka is started again."""
        now = datetime.now(UTC)
        certificate = self._authority.issue_cert(
            name, not_before=now - timedelta(days=2), not_after=now + timedelta(days=-1 if expired else 30)
        )
        key = load_pem_private_key(certificate.private_key_pem.bytes(), password=None)
        parts = [
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),  # Kafka reads no other format
            *(blob.bytes() for blob in certificate.cert_chain_pems),
        ]
        self._broker_file.write_bytes(b"".join(parts))

    @property
    def servers(self) -> str:
        """The address of the listener, once Kafka runs."""
        return f"{_HOST}:{self._port}"

    @property
    def storage_options(self) -> tuple[str, ...]:
        """The options of the storage tool that create the user."""
        each = (f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in MECHANISMS)
        return tuple(option for user in each for option in ("--add-scram", user))

    def properties(self, port: int, controller_port: int) -> dict[str, str]:
        """Return properties with this listener, on a free port, and the two listeners of every test server."""
        (self._port,) = free_ports(1)
        plain, secure = f"PLAINTEXT://{_HOST}:{port}", f"SASL_SSL://{_HOST}:{self._port}"
        login = {f"listener.name.sasl_ssl.{each.lower()}.sasl.jaas.config": _LOGIN for each in MECHANISMS}
        return {
            "listeners": f"{plain},{secure},CONTROLLER://{_HOST}:{controller_port}",
            "advertised.listeners": f"{plain},{secure}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._broker_file),
            **login,
        }

    def settings(self, **changes: str) -> dict[str, str]:
        """Return the pipeline's correct connection settings, without their prefix, updated with ``changes``."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": MECHANISMS[-1],
            "KAFKA_SASL_USERNAME": USER,
            "KAFKA_SASL_PASSWORD": PASSWORD,
            "KAFKA_SSL_CA_FILE": str(self.authority_file),
            **changes,
        }
