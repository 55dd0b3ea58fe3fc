"""Check whether a destination is reachable and accepts records, by sending one marked record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pipeline.delivery.answers import Failure, Response, Unanswered, answer_name
from pipeline.delivery.decisions import Attempt, Done, Hold, Refuse, Retry, RetryPolicy, settled
from pipeline.delivery.doubts import DOUBT_WORDS, UNCLEAR_WORDS
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from pipeline.delivery.api import Api
    from pipeline.metrics.delivery import Doubt, UnclearAnswer

_NO_WAITING: Final = RetryPolicy(base_seconds=0.0, max_seconds=0.0, retry_after_cap_seconds=0.0)


class ProbeOutcome(StrEnum):
    """The result of a check."""

    ACCEPTED = "accepted"
    DOUBTFUL = "doubtful"
    BUSY = "busy"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """The report of a check. ``lines`` are texts for people, without secrets."""

    outcome: ProbeOutcome
    lines: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.outcome is ProbeOutcome.ACCEPTED


async def send_marked(api: Api, record: bytes, *, now: float, where_to_look: tuple[str, ...]) -> ProbeReport:
    """Send one record and report what the answer means. If it is accepted, the report ends with ``where_to_look``.

    ``now`` is in seconds since the epoch.
    """
    client = api.connect()
    try:
        response = await client.post(api.build_body([record], sent_at=now))
    finally:
        await client.close()
    return _read(api, response, now=now, where_to_look=where_to_look)


def _read(api: Api, response: Response, *, now: float, where_to_look: tuple[str, ...]) -> ProbeReport:
    attempt = Attempt(number=1, sent_records=1, jitter=0.0, now=now, policy=_NO_WAITING)
    answer, endpoint = answer_name(response), variable(f"{api.name}_endpoint")
    match settled(api.decide(response, attempt), attempt):
        case Done(refused=(first, *_)):
            fault = first.reason.value if first.detail is None else f"{first.reason.value}, {first.detail}"
            return _report(ProbeOutcome.REFUSED, f"answered {answer}, and refused the record: {fault}")
        case Done(doubt=doubt) if doubt is not None:
            return _report(ProbeOutcome.DOUBTFUL, *_doubtful(answer, doubt, endpoint))
        case Done():
            where, *others = where_to_look
            return _report(ProbeOutcome.ACCEPTED, f"answered {answer}; {where}", *others)
        case Retry(unclear=unclear):
            return _retried(response, unclear, endpoint)
        case Hold(advice=advice) | Refuse(advice=advice):
            unreachable = isinstance(response, Unanswered)
            return _report(ProbeOutcome.UNREACHABLE if unreachable else ProbeOutcome.REFUSED, advice)


def _retried(response: Response, unclear: UnclearAnswer | None, endpoint: str) -> ProbeReport:
    if isinstance(response, Unanswered):
        return _report(ProbeOutcome.UNREACHABLE, _failure_words(endpoint)[response.failure])
    answer = answer_name(response)
    if unclear is not None:
        return _report(ProbeOutcome.DOUBTFUL, f"answered {answer}, but {UNCLEAR_WORDS[unclear]}: check {endpoint}")
    return _report(ProbeOutcome.BUSY, f"reached, but it answered {answer}: try again later")


def _report(outcome: ProbeOutcome, *lines: str) -> ProbeReport:
    return ProbeReport(outcome=outcome, lines=lines)


def _doubtful(answer: str, doubt: Doubt, endpoint: str) -> tuple[str, str]:
    return (
        f"answered {answer}, but {DOUBT_WORDS[doubt]}",
        f"check {endpoint} and any proxy in between: a worker counts the record as accepted by the status",
    )


def _failure_words(endpoint: str) -> dict[Failure, str]:
    return {
        Failure.TIMEOUT: "no answer before the timeout: check the network, firewalls and proxies",
        Failure.NAME_NOT_RESOLVED: f"the host name cannot be resolved: check {endpoint} and DNS",
        Failure.NOT_CONNECTED: f"connection failed: check {endpoint} and firewalls",
        Failure.TLS: "TLS failed: the server does not use TLS (a plain http:// port?), or requires a client "
        f"certificate: check {endpoint}, and proxies that terminate TLS",
        Failure.CERTIFICATE: f"the certificate cannot be trusted: check {endpoint} and this machine's clock",
        Failure.CONNECTION_LOST: "the connection was lost during the request: check proxies, then try again",
    }
