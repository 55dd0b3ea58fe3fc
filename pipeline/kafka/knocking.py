"""Try a new connection to one broker, and report to an operator why it fails."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.certificates import CertificateFault, certificate_fault, refusal_of_ours
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.kafka.connection import ConnectionOptions

MILLISECONDS: Final = 1_000
_MOST_LETTERS: Final = 300
_PROTOCOL: Final = variable("kafka_security_protocol")
_AUTHORITIES: Final = variable("kafka_ssl_ca_file")
_ANOTHER_HOST: Final = (
    f"name the broker in {variable('kafka_bootstrap_servers')} as its certificate does, or set "
    f"{variable('kafka_ssl_check_hostname')} to `false`"
)
_OF_ITSELF: Final = (
    f"give the broker a certificate that an authority signed, or add this one to the file of {_AUTHORITIES} if it is "
    "the broker's own"
)
_CERTIFICATES: Final[Mapping[CertificateFault, str]] = {
    CertificateFault.NOT_VALID_YET: "correct this machine's clock if it is behind, or else give the broker a "
    "certificate that is already valid",
    CertificateFault.EXPIRED: "correct this machine's clock if it is ahead, or else give the broker a new certificate",
    CertificateFault.SELF_SIGNED: _OF_ITSELF,
    CertificateFault.ANOTHER_NAME: _ANOTHER_HOST,
}
_UNTRUSTED: Final = (
    f"check that {_AUTHORITIES} contains the authority of the broker's certificate (without it the system's "
    "authorities are used)"
)
_OURS: Final = (
    f"put a certificate that the broker accepts into {variable('kafka_ssl_certificate_file')} and "
    f"{variable('kafka_ssl_key_file')}, and restart: they are read at the start"
)
_CREDENTIALS: Final = (AuthenticationFailedError, SaslAuthenticationFailed)
_REMEDIES: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    (
        _CREDENTIALS,
        (
            f"check {variable('kafka_sasl_username')} and {variable('kafka_sasl_password')}, and that the user exists "
            f"for {variable('kafka_sasl_mechanism')}"
        ),
    ),
    ((UnsupportedSaslMechanismError,), f"check {variable('kafka_sasl_mechanism')}"),
    ((IllegalSaslStateError,), f"check {_PROTOCOL}"),
    ((ssl.SSLError,), f"check {_PROTOCOL}, {_AUTHORITIES} and {variable('kafka_ssl_certificate_file')}"),
    (
        (TimeoutError, ConnectionResetError, KafkaError),
        (
            "check that it is a Kafka broker's address, whether it requires a certificate "
            f"({variable('kafka_ssl_certificate_file')}), and that {_PROTOCOL} is the protocol of this port"
        ),
    ),
    ((OSError,), f"check {variable('kafka_bootstrap_servers')}, and that the broker runs and can be reached from here"),
)


class Refused(NamedTuple):
    """Why a broker cannot be used, and what to do. `hold` is None if a later attempt may succeed."""

    text: str
    hold: HoldReason | None


async def knock(server: str, connection: ConnectionOptions, *, timeout_seconds: float) -> Refused | None:
    """Connect to `host:port` and send a request that requires authentication; None when the broker answers."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await _request(server, connection, timeout_seconds)
    except (OSError, KafkaError) as error:
        return Refused(f"{server}: {words(error)}: {_remedy(error)}.", _hold(error))
    return None


async def _request(server: str, connection: ConnectionOptions, timeout_seconds: float) -> None:
    host, _, port = server.rpartition(":")
    options = {name: value for name, value in connection.items() if name != "bootstrap_servers"}
    request_timeout_ms = round(timeout_seconds * MILLISECONDS)
    reached = await create_conn(host.strip("[]"), int(port), request_timeout_ms=request_timeout_ms, **options)
    try:
        await reached.send(MetadataRequest([]))
    finally:
        reached.close()


def words(error: BaseException) -> str:
    """Return what went wrong, in words for an operator."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, UnsupportedSaslMechanismError):
        return "the broker does not support this mechanism"
    if isinstance(error, IllegalSaslStateError):
        return "this port does not use SASL"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    if (why := refusal_of_ours(error)) is not None:
        return f"the broker rejects this program's certificate: {why}"
    return _printable(str(error)) or type(error).__name__


def _printable(text: str) -> str:
    """Return a broker's text, shortened and without control characters, so that it can be logged."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MOST_LETTERS])


def _remedy(error: BaseException) -> str:
    if (fault := certificate_fault(error)) is not None:
        return _CERTIFICATES.get(fault, _UNTRUSTED)
    if refusal_of_ours(error) is not None:
        return _OURS
    return next(remedy for kinds, remedy in _REMEDIES if isinstance(error, kinds))


def _hold(error: BaseException) -> HoldReason | None:
    if certificate_fault(error) is not None or refusal_of_ours(error) is not None:
        return HoldReason.CERTIFICATE
    return HoldReason.KAFKA_REFUSES if isinstance(error, (*_CREDENTIALS, UnsupportedSaslMechanismError)) else None
