"""A short-lived connection to a cluster for questions and orders, and why there is none, in words for an operator.

KafkaUnreachableError   no broker could be spoken to; says what each of them answered and what to check
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from pipeline.kafka.errors import KafkaUnreachableError
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.kafka.connection import ConnectionOptions

_PROTOCOL: Final = variable("kafka_security_protocol")
_MILLISECONDS: Final = 1_000
_ANOTHER_HOST: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: x509_vfy.h
_ANOTHER_HOST_REMEDY: Final = (
    f"name the broker in {variable('kafka_bootstrap_servers')} as its certificate does, or set "
    f"{variable('kafka_ssl_check_hostname')} to `false`"
)
_REMEDIES: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    (
        (AuthenticationFailedError, SaslAuthenticationFailed),
        (
            f"check {variable('kafka_sasl_username')} and {variable('kafka_sasl_password')}, and that the user is "
            f"known by {variable('kafka_sasl_mechanism')}"
        ),
    ),
    ((UnsupportedSaslMechanismError,), f"check {variable('kafka_sasl_mechanism')}"),
    ((IllegalSaslStateError,), f"check {_PROTOCOL}"),
    (
        (ssl.SSLCertVerificationError,),
        (
            f"check that {variable('kafka_ssl_ca_file')} holds the authority of the broker's certificate (without it "
            "the system's authorities count)"
        ),
    ),
    (
        (ssl.SSLError,),
        f"check {_PROTOCOL}, {variable('kafka_ssl_ca_file')} and {variable('kafka_ssl_certificate_file')}",
    ),
    (
        (TimeoutError, ConnectionResetError, KafkaError),
        (
            "check that it is a Kafka broker's address, whether it asks for a certificate "
            f"({variable('kafka_ssl_certificate_file')}), and that {_PROTOCOL} is the one that this port speaks"
        ),
    ),
    ((OSError,), f"check {variable('kafka_bootstrap_servers')}, and that the broker runs and can be reached from here"),
)


@asynccontextmanager
async def admin_client(connection: ConnectionOptions, *, timeout_seconds: float) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open a client for questions and orders. `timeout_seconds` bounds each attempt and each request.

    Raises:
        KafkaUnreachableError: when no broker can be spoken to.
    """
    await _knock(connection, timeout_seconds)
    client = AIOKafkaAdminClient(**connection, request_timeout_ms=round(timeout_seconds * _MILLISECONDS))
    try:
        await client.start()
        yield client
    except (KafkaError, TimeoutError) as error:
        raise KafkaUnreachableError(f"Kafka failed: {_words(error)}.") from error
    finally:
        await client.close()


async def _knock(connection: ConnectionOptions, timeout_seconds: float) -> None:
    """Find a broker that answers; the admin client itself would only log why one does not."""
    refusals = []
    for server in connection["bootstrap_servers"].split(","):
        try:
            async with asyncio.timeout(timeout_seconds):
                await _ask(server, connection, timeout_seconds)
        except (OSError, KafkaError) as error:
            refusals.append(f"{server}: {_words(error)}: {_remedy(error)}.")
        else:
            return
    raise KafkaUnreachableError("No Kafka broker can be used.", refusals)


async def _ask(server: str, connection: ConnectionOptions, timeout_seconds: float) -> None:
    """Ask one broker something that it answers only to those that it knows."""
    host, _, port = server.rpartition(":")
    options = {name: value for name, value in connection.items() if name != "bootstrap_servers"}
    request_timeout_ms = round(timeout_seconds * _MILLISECONDS)
    reached = await create_conn(host.strip("[]"), int(port), request_timeout_ms=request_timeout_ms, **options)
    try:
        await reached.send(MetadataRequest([]))
    finally:
        reached.close()


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, UnsupportedSaslMechanismError):
        return "the broker does not take this mechanism"
    if isinstance(error, IllegalSaslStateError):
        return "this port asks for no password"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    return str(error) or type(error).__name__


def _remedy(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in _ANOTHER_HOST:
        return _ANOTHER_HOST_REMEDY
    return next(remedy for kinds, remedy in _REMEDIES if isinstance(error, kinds))
