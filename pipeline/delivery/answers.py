"""What comes back from a request, and its name in logs and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.metrics.delivery import AnswerClass, Doubt

if TYPE_CHECKING:
    from pipeline.kafka.certificates import CertificateFault

_CLASSES: Final = {
    2: AnswerClass.ACCEPTED,
    3: AnswerClass.REDIRECTED,
    4: AnswerClass.REFUSED,
    5: AnswerClass.FAILED,
}


class Failure(StrEnum):
    """Why there was no answer."""

    TIMEOUT = "timeout"
    NAME_NOT_RESOLVED = "name-not-resolved"
    NOT_CONNECTED = "not-connected"
    TLS = "tls"
    CERTIFICATE = "certificate"
    CONNECTION_LOST = "connection-lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An HTTP answer: its head came whole.

    ``retry_after`` is the header as it came; ``body`` may be cut short and is never logged. ``doubt`` says why an
    answer that accepts is not Segment's.
    """

    status: int
    retry_after: str | None = None
    body: bytes = b""
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """No answer. Segment may have accepted the request. ``certificate`` goes with `Failure.CERTIFICATE`."""

    failure: Failure
    certificate: CertificateFault | None = None


Response: TypeAlias = Answered | Unanswered


def is_success(status: int) -> bool:
    """Return whether a status accepts what was sent: any of the class 2xx (RFC 9110, 15)."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def answer_class(response: Response) -> AnswerClass:
    """Sort a response into the few classes that metrics tell apart."""
    match response:
        case Unanswered(failure=failure):
            return AnswerClass.TIMEOUT if failure is Failure.TIMEOUT else AnswerClass.NETWORK
        case Answered(status=status):
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                return AnswerClass.THROTTLED
            return _CLASSES.get(status // 100, AnswerClass.OTHER)


def answer_name(response: Response) -> str:
    """Name a response for the log: its status, or why there is none."""
    return str(response.status) if isinstance(response, Answered) else response.failure.value
