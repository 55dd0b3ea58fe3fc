from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from pipeline.kafka.connection import connection_options
from pipeline.settings import SettingsError, load_settings
from pipeline.settings.files import FileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.kafka.connection import ConnectionOptions

    Files = Callable[[str, bytes], str]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def client(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("worker.example")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    def write(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def _options(**variables: str) -> ConnectionOptions:
    named = {f"PIPELINE_KAFKA_{name}": value for name, value in variables.items()}
    return connection_options(load_settings({"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"} | named))


def _refusal(**variables: str) -> str:
    with pytest.raises(SettingsError) as refused:
        _options(**variables)
    return str(refused.value)


def test_a_plain_connection_needs_the_brokers_alone() -> None:
    assert _options() == {"bootstrap_servers": "kafka:9092", "security_protocol": "PLAINTEXT"}


def test_without_brokers_there_is_no_connection() -> None:
    with pytest.raises(SettingsError, match="PIPELINE_KAFKA_BOOTSTRAP_SERVERS is not set"):
        connection_options(load_settings({}))


def test_user_name_and_password_go_with_sasl() -> None:
    assert _options(
        SECURITY_PROTOCOL="SASL_PLAINTEXT", SASL_MECHANISM="SCRAM-SHA-512", SASL_USERNAME="me", SASL_PASSWORD="secret"
    ) == {
        "bootstrap_servers": "kafka:9092",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "secret",
    }


def test_tls_trusts_the_system_and_checks_the_host_name_by_default() -> None:
    context = _options(SECURITY_PROTOCOL="SSL")["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is True


def test_tls_trusts_the_authorities_of_the_file(authority: trustme.CA, files: Files) -> None:
    ca = files("ca.pem", authority.cert_pem.bytes())
    context = _options(SECURITY_PROTOCOL="SSL", SSL_CA_FILE=ca, SSL_CHECK_HOSTNAME="false")["ssl_context"]
    assert len(context.get_ca_certs()) == 1
    assert context.check_hostname is False
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_file_without_a_certificate_is_refused(files: Files) -> None:
    ca = files("ca.pem", b"hello")
    text = f"PIPELINE_KAFKA_SSL_CA_FILE is `{ca}`: the file holds no certificate in PEM."
    assert _refusal(SECURITY_PROTOCOL="SSL", SSL_CA_FILE=ca) == text


def test_a_client_shows_its_certificate(client: trustme.LeafCert, files: Files) -> None:
    certificate = files("cert.pem", client.cert_chain_pems[0].bytes())
    key = files("key.pem", client.private_key_pem.bytes())
    assert "ssl_context" in _options(SECURITY_PROTOCOL="SSL", SSL_CERTIFICATE_FILE=certificate, SSL_KEY_FILE=key)


def test_certificate_and_key_may_share_a_file(client: trustme.LeafCert, files: Files) -> None:
    both = files("both.pem", client.private_key_and_cert_chain_pem.bytes())
    assert "ssl_context" in _options(SECURITY_PROTOCOL="SSL", SSL_CERTIFICATE_FILE=both)


@pytest.mark.parametrize("password", ["hunter2", "wrong", ""])
def test_an_encrypted_key_needs_its_password_and_nobody_is_asked_for_it(
    password: str, client: trustme.LeafCert, files: Files
) -> None:
    plain = load_pem_private_key(client.private_key_pem.bytes(), None)
    locked = plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2"))
    variables = {
        "SECURITY_PROTOCOL": "SSL",
        "SSL_CERTIFICATE_FILE": files("cert.pem", client.cert_chain_pems[0].bytes()),
        "SSL_KEY_FILE": files("key.pem", locked),
        "SSL_KEY_PASSWORD": password,
    }
    if password == "hunter2":
        assert "ssl_context" in _options(**variables)
    else:
        told = _refusal(**variables)
        assert "an encrypted key needs its password" in told
        assert "wrong" not in told


def test_a_key_of_another_certificate_is_refused(authority: trustme.CA, client: trustme.LeafCert, files: Files) -> None:
    other = authority.issue_cert("other.example")
    certificate = files("cert.pem", client.cert_chain_pems[0].bytes())
    key = files("key.pem", other.private_key_pem.bytes())
    told = _refusal(SECURITY_PROTOCOL="SSL", SSL_CERTIFICATE_FILE=certificate, SSL_KEY_FILE=key)
    assert told.startswith(f"PIPELINE_KAFKA_SSL_CERTIFICATE_FILE is `{certificate}`: it cannot be used with ")


def test_a_certificate_that_does_not_answer_is_told_as_such(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = files("cert.pem", b"a certificate"), files("key.pem", b"a key")

    def hang(*_: object) -> None:
        raise FileError("it did not answer within 5 s")

    monkeypatch.setattr("pipeline.kafka.connection.promptly", hang)
    monkeypatch.setattr("pipeline.kafka.connection.trusting", lambda *_: ssl.create_default_context())
    assert _refusal(SECURITY_PROTOCOL="SSL", SSL_CERTIFICATE_FILE=certificate, SSL_KEY_FILE=key) == (
        f"PIPELINE_KAFKA_SSL_CERTIFICATE_FILE is `{certificate}`, but it or PIPELINE_KAFKA_SSL_KEY_FILE cannot be "
        "used: it did not answer within 5 s."
    )
