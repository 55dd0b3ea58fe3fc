"""What an answer means for the records that were sent: accepted, retry, hold, or isolate the records at fault.

A destination's `decide` returns one of these. `settled` then checks the claims of a partial answer, and decides when
unclear answers become a hold. Destinations build their tables of answers from the functions below.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.certificates import certificate_words
from pipeline.metrics.delivery import UnclearAnswer

if TYPE_CHECKING:
    from enum import StrEnum

    from pipeline.delivery.answers import Answered, Unanswered
    from pipeline.metrics.delivery import Doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRecord:
    """A record that the destination refused in an answer that accepted others.

    ``index`` counts the records of the body as it was sent, from 0. ``reason`` is one of the destination's reasons.
    ``detail`` is what the answer says about the fault, without values of the record; it is stored in the dead letter.
    """

    index: int
    reason: StrEnum
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The records were accepted, except for those in ``refused``.

    ``accepted`` is how many the answer says were accepted; None where it gives no number. ``doubt`` is why the answer
    does not look like the destination's own.
    """

    refused: tuple[RefusedRecord, ...] = ()
    accepted: int | None = None
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Send the same records again after some seconds. ``everywhere``: no lane sends anything before that.

    ``unclear`` is why the answer left open what was accepted; None if there was no answer, or a clear one.
    """

    after_seconds: float
    everywhere: bool = False
    unclear: UnclearAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Stop, not ready, and retry slowly until the answer changes. ``advice`` is one sentence on what to check.

    ``unclear`` is why the answer left open what was accepted; None for a clear answer.
    """

    after_seconds: float
    advice: str
    reason: HoldReason = HoldReason.DESTINATION_REFUSES
    unclear: UnclearAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The answer leaves open what was accepted: send the same records again, and hold if it happens again and again.

    ``advice`` is one sentence on what to check, for the hold.
    """

    answer: UnclearAnswer
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Nothing was accepted because of the content: send smaller requests until the record at fault is alone.

    ``reason`` is the reject reason of a record that is refused alone. ``advice`` is one sentence on what to check when
    many records are refused.
    """

    reason: StrEnum
    advice: str


Settled: TypeAlias = Done | Retry | Hold | Refuse
"""A decision that a lane carries out."""
Decision: TypeAlias = Settled | Unknown
"""A decision of a destination."""
UNCLEAR_IN_A_ROW: Final = 3
"""With this many unclear answers to the same request, one after the other, the lane holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to wait, in seconds.

    The delay doubles with each attempt, from ``base_seconds`` up to ``max_seconds``. By default it is a random part of
    that ("full jitter"). With ``added_jitter_seconds`` it is all of it, and a random time between these two is added.
    """

    base_seconds: float
    max_seconds: float
    retry_after_cap_seconds: float
    added_jitter_seconds: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The circumstances of one attempt, as arguments of a pure decision.

    Attributes:
        number: How often this request was sent, from 1.
        sent_records: How many records the body had.
        jitter: A random number from 0 up to but not including 1.
        now: Seconds since the epoch.
        policy: How long to wait.
        unclear_before: How many answers directly before this one left open what was accepted of this request.
    """

    number: int
    sent_records: int
    jitter: float
    now: float
    policy: RetryPolicy
    unclear_before: int = 0

    @property
    def backoff_seconds(self) -> float:
        """How long to wait before the next attempt (see `backoff`)."""
        return backoff(self.number, jitter=self.jitter, policy=self.policy)

    @property
    def slow_seconds(self) -> float:
        """How long to wait while holding: from half of the longest backoff to all of it."""
        return self.policy.max_seconds * (0.5 + self.jitter / 2)


_CONTRADICTION_ADVICE: Final = (
    "the numbers in the destination's answers contradict what was sent, so what was accepted is unknown: check any "
    "proxy in between"
)
_AUTHORITIES: Final = "the authorities that this system trusts (SSL_CERT_FILE names others)"
_MAX_DOUBLINGS: Final = 62
_MAX_RETRY_AFTER_DIGITS: Final = 9


def settled(decision: Decision, attempt: Attempt) -> Settled:
    """Return what to do: the decision, or for an answer that leaves open what was accepted a retry, and then a hold.

    A partial answer that contradicts the request is such an answer: an index is outside of the body, or accepted and
    refused records do not add up to the records sent. An index that is named twice counts once.
    """
    if isinstance(decision, Done) and _contradicts(decision, attempt):
        decision = Unknown(answer=UnclearAnswer.CONTRADICTION, advice=_CONTRADICTION_ADVICE)
    if not isinstance(decision, Unknown):
        return decision
    if attempt.unclear_before + 1 < UNCLEAR_IN_A_ROW:
        return Retry(after_seconds=attempt.backoff_seconds, unclear=decision.answer)
    return Hold(after_seconds=attempt.slow_seconds, advice=decision.advice, unclear=decision.answer)


def _contradicts(done: Done, attempt: Attempt) -> bool:
    indexes = {record.index for record in done.refused}
    if any(not 0 <= index < attempt.sent_records for index in indexes):
        return True
    return done.accepted is not None and done.accepted + len(indexes) != attempt.sent_records


def unanswered(response: Unanswered, attempt: Attempt, *, destination: str, endpoint_setting: str) -> Retry | Hold:
    """Return a retry for a request without an answer, or a hold if the certificate cannot be trusted."""
    if response.certificate is None:
        return Retry(after_seconds=attempt.backoff_seconds)
    problem = certificate_words(response.certificate, address=endpoint_setting, authority=_AUTHORITIES)
    return Hold(
        after_seconds=attempt.slow_seconds,
        advice=f"{destination} cannot be reached securely: {problem}",
        reason=HoldReason.CERTIFICATE,
    )


def retry_later(answer: Answered, attempt: Attempt) -> Retry:
    """Return a retry after the backoff, or after `Retry-After` if that is longer, up to the policy's cap."""
    own = attempt.backoff_seconds
    asked = retry_after_seconds(answer.retry_after, now=attempt.now)
    if asked is None:
        return Retry(after_seconds=own)
    return Retry(after_seconds=max(own, min(asked, attempt.policy.retry_after_cap_seconds)), everywhere=True)


def is_server_error(status: int) -> bool:
    """Return whether a status is of the class 5xx."""
    return HTTPStatus.INTERNAL_SERVER_ERROR <= status <= 599  # noqa: PLR2004 -- the end of the class


def backoff(attempt: int, *, jitter: float, policy: RetryPolicy) -> float:
    """Return the delay of the next attempt in seconds, by the policy. ``jitter`` is a random number from 0 to 1."""
    doublings = min(max(attempt - 1, 0), _MAX_DOUBLINGS)
    delay = min(policy.max_seconds, policy.base_seconds * 2.0**doublings)
    if policy.added_jitter_seconds is None:
        return jitter * delay
    least, most = policy.added_jitter_seconds
    return delay + least + jitter * (most - least)


def retry_after_seconds(header: str | None, *, now: float) -> float | None:
    """Return the seconds of a `Retry-After` (RFC 9110, 10.2.3). None if it is absent, in the past or malformed."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:_MAX_RETRY_AFTER_DIGITS]) if len(text) <= _MAX_RETRY_AFTER_DIGITS else float("inf")
    try:
        moment = parsedate_to_datetime(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return seconds if seconds > 0 else None
