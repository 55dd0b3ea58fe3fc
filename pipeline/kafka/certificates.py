"""What is wrong with a certificate of a TLS connection, and what an operator can do about it."""

from __future__ import annotations

import ssl
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class CertificateFault(StrEnum):
    """A permanent cause: an operator has to correct a clock, a certificate or a setting."""

    EXPIRED = "expired"
    NOT_VALID_YET = "not_valid_yet"
    ANOTHER_NAME = "another_name"
    SELF_SIGNED = "self_signed"
    UNKNOWN_ISSUER = "unknown_issuer"
    REVOKED = "revoked"
    OTHER = "other"


_CODES: Final[Mapping[int, CertificateFault]] = {
    2: CertificateFault.UNKNOWN_ISSUER,
    9: CertificateFault.NOT_VALID_YET,
    10: CertificateFault.EXPIRED,
    18: CertificateFault.SELF_SIGNED,
    19: CertificateFault.SELF_SIGNED,
    20: CertificateFault.UNKNOWN_ISSUER,
    21: CertificateFault.UNKNOWN_ISSUER,
    23: CertificateFault.REVOKED,
    62: CertificateFault.ANOTHER_NAME,
    64: CertificateFault.ANOTHER_NAME,
}
"""OpenSSL's x509_vfy.h, X509_V_ERR_*."""

_REFUSALS_OF_OURS: Final[Mapping[str, str]] = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it requires one",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it is invalid, or the other side requires one",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it has expired, by the other side's clock",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it was revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it has expired, or cannot be trusted",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "its type is not supported",
    "TLSV1_ALERT_UNKNOWN_CA": "it is from an authority that is not trusted there",
}
"""OpenSSL's sslerr.h, SSL_R_*_ALERT_*, after RFC 8446, 6.2: why the other side rejects our certificate."""
_CLOCK: Final = "check the clock of this machine, then the certificate"
_AUTHORITY: Final = "check {authority}, and whether a proxy intercepts TLS"
_WORDS: Final[Mapping[CertificateFault, tuple[str, str]]] = {
    CertificateFault.EXPIRED: ("has expired, by the clock of this machine", _CLOCK),
    CertificateFault.NOT_VALID_YET: ("is not valid yet, by the clock of this machine", _CLOCK),
    CertificateFault.ANOTHER_NAME: (
        "is for another host name",
        "check the name in {address}, and whether a proxy intercepts TLS",
    ),
    CertificateFault.SELF_SIGNED: ("is self-signed, or its chain ends in an untrusted self-signed one", _AUTHORITY),
    CertificateFault.UNKNOWN_ISSUER: ("is from an authority that is not trusted", _AUTHORITY),
    CertificateFault.REVOKED: ("was revoked", "check {address}"),
    CertificateFault.OTHER: ("cannot be trusted", _AUTHORITY),
}


def certificate_fault(error: BaseException | None) -> CertificateFault | None:
    """Return what is wrong with the certificate; None if the error and its causes have another reason."""
    for each in _causes(error):
        code = getattr(each, "verify_code", None)  # of ssl.SSLCertVerificationError, where OpenSSL raised it
        if isinstance(code, int):
            return _CODES.get(code, CertificateFault.OTHER)
    return None


def refusal_of_ours(error: BaseException | None) -> str | None:
    """Return why the other side rejects our certificate, as a clause; None if it failed for another reason."""
    reasons = (each.reason for each in _causes(error) if isinstance(each, ssl.SSLError))
    return next((_REFUSALS_OF_OURS[reason] for reason in reasons if reason in _REFUSALS_OF_OURS), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, then its causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def certificate_words(fault: CertificateFault, *, address: str, authority: str) -> str:
    """Return what is wrong and what to check.

    Args:
        fault: What is wrong.
        address: The setting that names the other side.
        authority: Where the trusted authorities are named.
    """
    wrong, check = _WORDS[fault]
    return f"the certificate {wrong}: {check.format(address=address, authority=authority)}"
