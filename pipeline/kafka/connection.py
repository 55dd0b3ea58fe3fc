"""The connection options of Kafka's clients, from the settings."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, TypedDict

from pipeline.kafka.addresses import expect_impossible_addresses
from pipeline.settings.files import FileError, check_file, promptly
from pipeline.settings.mistakes import setting_error, variable

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.settings.kafka_sections import KafkaSettings


class ConnectionOptions(TypedDict, total=False):
    """Keyword arguments that every aiokafka client accepts."""

    bootstrap_servers: str
    security_protocol: str
    sasl_mechanism: str
    sasl_plain_username: str
    sasl_plain_password: str
    ssl_context: ssl.SSLContext


def connection_options(settings: KafkaSettings) -> ConnectionOptions:
    """Return the arguments of an aiokafka client, and make aiokafka tolerate impossible broker addresses.

    Raises:
        SettingsError: no broker is named, or a certificate file cannot be used.
    """
    if settings.kafka_bootstrap_servers is None:
        raise setting_error("kafka_bootstrap_servers", "is not set: give Kafka's brokers, such as `kafka-1:9092`.")
    expect_impossible_addresses()
    protocol = settings.kafka_security_protocol
    options = ConnectionOptions(bootstrap_servers=settings.kafka_bootstrap_servers, security_protocol=protocol.value)
    if protocol.authenticates and settings.kafka_sasl_username and settings.kafka_sasl_password:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism.value
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    if protocol.encrypts:
        options["ssl_context"] = tls_context(settings)
    return options


def tls_context(settings: KafkaSettings) -> ssl.SSLContext:
    """Return the TLS context of encrypted connections.

    Raises:
        SettingsError: a certificate file cannot be used.
    """
    context = trusting("kafka_ssl_ca_file", settings.kafka_ssl_ca_file)
    context.check_hostname = settings.kafka_ssl_check_hostname
    if settings.kafka_ssl_certificate_file is not None:
        _identify_client(context, settings.kafka_ssl_certificate_file, settings)
    return context


def trusting(field: str, authorities: Path | None) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities in the file of a setting, or those of the system.

    Raises:
        SettingsError: the file cannot be used.
    """
    if authorities is None:
        return ssl.create_default_context()
    try:
        check_file(authorities)
        return promptly(authorities, lambda: ssl.create_default_context(cafile=authorities))
    except FileError as error:
        raise setting_error(field, f"is `{authorities}`, but {error}.") from None
    except (ssl.SSLError, OSError):
        raise setting_error(field, f"is `{authorities}`: the file holds no certificate in PEM.") from None


def _identify_client(context: ssl.SSLContext, certificate: Path, settings: KafkaSettings) -> None:
    secret = settings.kafka_ssl_key_password
    password = "" if secret is None else secret.get_secret_value()
    key = settings.kafka_ssl_key_file

    def load() -> None:
        # A callable, because Python would prompt on the terminal for the missing password of an encrypted key.
        context.load_cert_chain(certificate, key, password=lambda: password)

    try:
        for file in filter(None, (certificate, key)):
            check_file(file)
        promptly(certificate, load)
    except FileError as error:
        text = f"is `{certificate}`, but it or {variable('kafka_ssl_key_file')} cannot be used: {error}."
        raise setting_error("kafka_ssl_certificate_file", text) from None
    except (OSError, ValueError):  # ssl's own errors, and `ValueError` for a password that is too long
        raise setting_error(
            "kafka_ssl_certificate_file",
            f"is `{certificate}`: it cannot be used with {variable('kafka_ssl_key_file')} and "
            f"{variable('kafka_ssl_key_password')}. Both files must be PEM, the key must belong to the certificate, "
            "and an encrypted key needs its password.",
        ) from None
