from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading

import pytest
import trustme

from pipeline.kafka.certificates import CertificateFault, certificate_fault, certificate_words

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)


def refusal(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "segment.test") -> ssl.SSLError:
    """Return the error of a failed handshake."""
    here, there = socket.socketpair()

    def accept() -> None:
        with there, pytest.raises((ssl.SSLError, OSError)), server.wrap_socket(there, server_side=True) as secured:
            secured.recv(1)

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        with here, pytest.raises(ssl.SSLError) as caught:
            client.wrap_socket(here, server_hostname=name)
    finally:
        accepting.join()
    return caught.value


def contexts(
    name: str, *, trusted: bool = True, begin: dt.datetime | None = None, end: dt.datetime | None = None
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(name, not_before=begin, not_after=end).configure_cert(server)
    if trusted:
        authority.configure_trust(client)
    return server, client


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (contexts("segment.test", end=NOW - DAY, begin=NOW - 2 * DAY), CertificateFault.EXPIRED),
        (contexts("segment.test", begin=NOW + DAY, end=NOW + 2 * DAY), CertificateFault.NOT_VALID_YET),
        (contexts("another.test"), CertificateFault.ANOTHER_NAME),
        (contexts("127.0.0.2"), CertificateFault.ANOTHER_NAME),
        (contexts("segment.test", trusted=False), CertificateFault.UNKNOWN_ISSUER),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told(
    made: tuple[ssl.SSLContext, ssl.SSLContext], fault: CertificateFault
) -> None:
    error = refusal(*made)
    assert certificate_fault(error) is fault
    wrapped = OSError("wrapped")
    wrapped.__cause__ = RuntimeError("twice")
    wrapped.__cause__.__context__ = error
    assert certificate_fault(wrapped) is fault


class Refused(ssl.SSLCertVerificationError):
    def __init__(self, code: int) -> None:
        super().__init__("refused")
        self.verify_code = code


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (18, CertificateFault.SELF_SIGNED),
        (19, CertificateFault.SELF_SIGNED),
        (23, CertificateFault.REVOKED),
        (79, CertificateFault.OTHER),
    ],
)
def test_other_codes_of_openssl_have_a_fault_too(code: int, fault: CertificateFault) -> None:
    assert certificate_fault(Refused(code)) is fault


def test_other_failures_have_none() -> None:
    circle = ssl.SSLError("no shared cipher")
    circle.__context__ = OSError("reset")
    circle.__context__.__context__ = circle
    for error in (None, OSError("reset"), circle):
        assert certificate_fault(error) is None


@pytest.mark.parametrize("fault", list(CertificateFault))
def test_every_fault_says_what_to_check(fault: CertificateFault) -> None:
    told = certificate_words(fault, address="THE_ADDRESS", authority="THE_AUTHORITY")
    assert told.startswith("the certificate ")
    assert "check " in told
    assert "{" not in told


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (CertificateFault.EXPIRED, "check the clock of this machine"),
        (CertificateFault.NOT_VALID_YET, "check the clock of this machine"),
        (CertificateFault.ANOTHER_NAME, "check the name in THE_ADDRESS"),
        (CertificateFault.SELF_SIGNED, "check THE_AUTHORITY"),
        (CertificateFault.UNKNOWN_ISSUER, "check THE_AUTHORITY"),
    ],
)
def test_the_clock_the_name_and_the_authority_are_told_apart(fault: CertificateFault, check: str) -> None:
    assert check in certificate_words(fault, address="THE_ADDRESS", authority="THE_AUTHORITY")
