"""Decide what an answer of Segment means: accepted, try again, look for the record at fault, or wait for somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.core.hold_reasons import HoldReason
from pipeline.delivery.answers import Answered, Response, Unanswered, is_success
from pipeline.delivery.examination import SegmentRejectReason
from pipeline.kafka.certificates import certificate_words
from pipeline.sinks.segment.error_text import names_the_write_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.metrics.delivery import Doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Every record was accepted, by the status. ``doubt`` says why the rest of the answer is not Segment's."""

    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Send the same records again after a while. ``everywhere``: no lane sends anything before that."""

    after_seconds: float
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Stop, not ready, and try again slowly until the answer changes. ``advice`` says in a sentence what to check."""

    after_seconds: float
    advice: str
    reason: HoldReason = HoldReason.DESTINATION_REFUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Nothing was accepted because of what was sent: send less of it, until the record at fault stands alone.

    ``reason`` is what a record that is refused alone is stored for; ``advice`` says in a sentence what to check when
    there are many of them.
    """

    reason: SegmentRejectReason
    advice: str


Decision: TypeAlias = Done | Retry | Hold | Refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to wait, in seconds."""

    base_seconds: float
    max_seconds: float
    retry_after_cap_seconds: float


RETRIED_STATUSES: Final = frozenset({408, 410, 429, 460})
"""The 4xx that Segment's official clients repeat (schemas/SOURCES.md, "Segment clients")."""
HELD_SERVER_ERRORS: Final = frozenset({501, 505})
"""The 5xx that they do not: the server will never be able to."""

REFUSALS: Final[Mapping[int, SegmentRejectReason]] = {
    400: SegmentRejectReason.REFUSED,
    413: SegmentRejectReason.TOO_LARGE,
}
"""The answers that speak of what was sent. A 400 that names the write key does not: it holds."""

_MAX_DOUBLINGS: Final = 62
_MAX_RETRY_AFTER_DIGITS: Final = 9

_REDIRECT_ADVICE: Final = "redirects are not followed: set PIPELINE_SEGMENT_ENDPOINT to the address it moved to"
_ADVICE: Final[Mapping[int, str]] = {
    101: "the server goes over to another protocol: check PIPELINE_SEGMENT_ENDPOINT and any proxy on the way",
    **dict.fromkeys((301, 302, 303, 307, 308), _REDIRECT_ADVICE),
    304: "a cache on the way answers in Segment's stead: check any proxy on the way",
    400: "check PIPELINE_SEGMENT_WRITE_KEY first; if the key is right, a record of the batch is not what Segment takes",
    401: "check PIPELINE_SEGMENT_WRITE_KEY, and any proxy on the way: Segment itself answers 200 to an unknown key",
    403: "check PIPELINE_SEGMENT_WRITE_KEY, and any proxy on the way: Segment itself answers 200 to an unknown key",
    404: "check the path of PIPELINE_SEGMENT_ENDPOINT",
    405: "check the path of PIPELINE_SEGMENT_ENDPOINT",
    407: "a proxy on the way asks for credentials of its own",
    413: "lower PIPELINE_SEGMENT_MAX_BATCH_BYTES: something on the way allows less than Segment does",
    415: "check PIPELINE_SEGMENT_ENDPOINT, and PIPELINE_SEGMENT_GZIP: the server does not take this content",
    501: "check PIPELINE_SEGMENT_ENDPOINT: the server does not know this call",
    505: "check PIPELINE_SEGMENT_ENDPOINT and any proxy on the way: the server does not speak this HTTP version",
}
_OTHER_ADVICE: Final = "this answer is not one of Segment's: check PIPELINE_SEGMENT_ENDPOINT and any proxy on the way"
_KEY_ADVICE: Final = "Segment says that the write key is invalid: check PIPELINE_SEGMENT_WRITE_KEY"
_AUTHORITIES: Final = "the authorities that this system trusts (SSL_CERT_FILE names others)"


def decide(response: Response, *, attempt: int, jitter: float, now: float, policy: RetryPolicy) -> Decision:
    """Decide what follows a response.

    Segment documents 200 alone; another 2xx counts as 200 (RFC 9110, 15: an unknown code is taken for the x00 of its
    class), because a relay that answers 202 has taken the records. A 400 is about a record of the batch, unless its
    error names the write key. A certificate that cannot be trusted is not mended by an attempt.

    Args:
        response: What came back.
        attempt: How often this request was sent, from 1.
        jitter: A random number from 0 up to but not including 1.
        now: Seconds since the epoch.
        policy: How long to wait.
    """
    match response:
        case Unanswered(certificate=fault):
            if fault is not None:
                told = certificate_words(fault, address="PIPELINE_SEGMENT_ENDPOINT", authority=_AUTHORITIES)
                return Hold(
                    after_seconds=_slowly(jitter, policy),
                    advice=f"Segment cannot be spoken to: {told}",
                    reason=HoldReason.CERTIFICATE,
                )
            return Retry(after_seconds=backoff(attempt, jitter=jitter, policy=policy))
        case Answered(status=status):
            if is_success(status):
                return Done(doubt=response.doubt)
            if _is_retried(status):
                return _retry(response, attempt=attempt, jitter=jitter, now=now, policy=policy)
            advice = f"Segment answered {status}: {_advice(response)}"
            if status in REFUSALS and not _names_the_key(response):
                return Refuse(reason=REFUSALS[status], advice=advice)
            return Hold(after_seconds=_slowly(jitter, policy), advice=advice)


def backoff(attempt: int, *, jitter: float, policy: RetryPolicy) -> float:
    """Wait a random part of a time that doubles with each attempt up to a cap ("full jitter"), in seconds."""
    doublings = min(max(attempt - 1, 0), _MAX_DOUBLINGS)
    return jitter * min(policy.max_seconds, policy.base_seconds * 2.0**doublings)


def retry_after_seconds(header: str | None, *, now: float) -> float | None:
    """Read a `Retry-After`, seconds or an HTTP date (RFC 9110, 10.2.3). None if it is absent, past or not readable."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:_MAX_RETRY_AFTER_DIGITS]) if len(text) <= _MAX_RETRY_AFTER_DIGITS else float("inf")
    try:
        moment = parsedate_to_datetime(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def _slowly(jitter: float, policy: RetryPolicy) -> float:
    return policy.max_seconds * (0.5 + jitter / 2)


def _is_retried(status: int) -> bool:
    server_error = HTTPStatus.INTERNAL_SERVER_ERROR <= status <= 599  # noqa: PLR2004 -- the end of the class 5xx
    return status in RETRIED_STATUSES or (server_error and status not in HELD_SERVER_ERRORS)


def _retry(answer: Answered, *, attempt: int, jitter: float, now: float, policy: RetryPolicy) -> Retry:
    own = backoff(attempt, jitter=jitter, policy=policy)
    asked = retry_after_seconds(answer.retry_after, now=now)
    if asked is None:
        return Retry(after_seconds=own)
    return Retry(after_seconds=max(own, min(asked, policy.retry_after_cap_seconds)), everywhere=True)


def _names_the_key(answer: Answered) -> bool:
    return answer.status == HTTPStatus.BAD_REQUEST and names_the_write_key(answer.body)


def _advice(answer: Answered) -> str:
    if _names_the_key(answer):
        return _KEY_ADVICE
    return _ADVICE.get(answer.status, _OTHER_ADVICE)
