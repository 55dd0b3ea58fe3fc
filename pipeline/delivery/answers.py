"""Responses to a request, and their names in logs and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.metrics.delivery import AnswerClass

if TYPE_CHECKING:
    from pipeline.kafka.certificates import CertificateFault

_CLASSES: Final = {
    2: AnswerClass.ACCEPTED,
    3: AnswerClass.REDIRECTED,
    4: AnswerClass.REFUSED,
    5: AnswerClass.FAILED,
}


class Failure(StrEnum):
    """The reason why a request had no answer."""

    TIMEOUT = "timeout"
    NAME_NOT_RESOLVED = "name-not-resolved"
    NOT_CONNECTED = "not-connected"
    TLS = "tls"
    CERTIFICATE = "certificate"
    CONNECTION_LOST = "connection-lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An HTTP answer with a complete head.

    ``retry_after`` and ``content_type`` are the headers as received. ``body`` is decompressed, and never logged. It is
    ``whole`` if nothing is missing and it is certainly the answer to this request. Otherwise the rest was too long, did
    not arrive or could not be decompressed, or the answer arrived before the request was sent or with other bytes.
    """

    status: int
    retry_after: str | None = None
    content_type: str | None = None
    body: bytes = b""
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """No answer. The request may have been accepted. ``certificate`` is set for `Failure.CERTIFICATE`."""

    failure: Failure
    certificate: CertificateFault | None = None


Response: TypeAlias = Answered | Unanswered


def is_success(status: int) -> bool:
    """Return whether a status is of the class 2xx (RFC 9110, 15)."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def answer_class(response: Response) -> AnswerClass:
    """Return the class of a response for metrics."""
    match response:
        case Unanswered(failure=failure):
            return AnswerClass.TIMEOUT if failure is Failure.TIMEOUT else AnswerClass.NETWORK
        case Answered(status=status):
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                return AnswerClass.THROTTLED
            return _CLASSES.get(status // 100, AnswerClass.OTHER)


def answer_name(response: Response) -> str:
    """Return a response's name for logs: its status, or the reason why there is none."""
    return str(response.status) if isinstance(response, Answered) else response.failure.value
