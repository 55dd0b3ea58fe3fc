"""Find out whether Segment can be reached with these options, by sending one marked event."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from yarl import URL

from pipeline.delivery.answers import Failure, Response, Unanswered, answer_name
from pipeline.delivery.client import SegmentClient
from pipeline.delivery.decisions import Done, Hold, Refuse, Retry, RetryPolicy, decide
from pipeline.delivery.doubts import DOUBT_WORDS
from pipeline.delivery.options import ENDPOINTS
from pipeline.settings.choices import SegmentRegion
from pipeline.sinks.segment.body import build_body, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.delivery.client import BatchClient
    from pipeline.delivery.options import SegmentOptions
    from pipeline.metrics.delivery import Doubt

EVENT_NAME: Final = "OneSignal Pipeline Check"
USER_ID: Final = "onesignal-pipeline-check"
"""Always the same, so that all checks of a month cost one monthly tracked user at most."""

_FAILURES: Final[Mapping[Failure, str]] = {
    Failure.TIMEOUT: "no answer in time: check the network, firewalls and proxies on the way",
    Failure.NAME_NOT_RESOLVED: "the host's name is not known here: check PIPELINE_SEGMENT_ENDPOINT and the DNS",
    Failure.NOT_CONNECTED: "no connection: check PIPELINE_SEGMENT_ENDPOINT, and whether a firewall is on the way",
    Failure.TLS: "no TLS: the other side does not speak it (a plain http:// port?), or asks for a certificate: "
    "check PIPELINE_SEGMENT_ENDPOINT, and proxies that open TLS",
    Failure.CERTIFICATE: "the certificate cannot be trusted: check PIPELINE_SEGMENT_ENDPOINT and this machine's clock",
    Failure.CONNECTION_LOST: "the connection was lost in the middle of it: check proxies on the way, then try again",
}


_NO_WAITING: Final = RetryPolicy(base_seconds=0.0, max_seconds=0.0, retry_after_cap_seconds=0.0)


class ProbeOutcome(StrEnum):
    """How a check ended."""

    ACCEPTED = "accepted"
    DOUBTFUL = "doubtful"
    BUSY = "busy"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """What a check found. ``lines`` are for people; they show no key."""

    outcome: ProbeOutcome
    message_id: str
    lines: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.outcome is ProbeOutcome.ACCEPTED


async def probe(
    options: SegmentOptions,
    *,
    connect: Callable[[SegmentOptions], BatchClient] = SegmentClient,
    wall_clock: Callable[[], float] = time.time,
    new_id: Callable[[], uuid.UUID] = uuid.uuid4,
) -> ProbeReport:
    """Send one marked event and say where to look for it. The shape of the key was checked with the options."""
    message_id = str(new_id())
    now = wall_clock()
    client = connect(options)
    try:
        response = await client.post(build_body([_marked_event(message_id, now)], sent_at=now))
    finally:
        await client.close()
    outcome, lines = _read(response, message_id=message_id, now=now)
    return ProbeReport(outcome=outcome, message_id=message_id, lines=(_where(options), *lines))


def _marked_event(message_id: str, now: float) -> bytes:
    event = {
        "type": "track",
        "event": EVENT_NAME,
        "messageId": message_id,
        "userId": USER_ID,
        "timestamp": timestamp(now),
        "properties": {},
        "context": {"integration": {"name": "onesignal-pipeline"}},
        "integrations": {"All": False},
    }
    return json.dumps(event, separators=(",", ":")).encode()


def _where(options: SegmentOptions) -> str:
    regions = [region for region in SegmentRegion if ENDPOINTS[region] == options.endpoint]
    name = f"region {regions[0]}" if regions else "an endpoint of your own"
    return f"write key: shape is right; endpoint: {URL(options.endpoint).host} ({name})"


def _read(response: Response, *, message_id: str, now: float) -> tuple[ProbeOutcome, tuple[str, ...]]:
    if isinstance(response, Unanswered):
        return ProbeOutcome.UNREACHABLE, (_why_unreachable(response, now=now),)
    match decide(response, attempt=1, jitter=0.0, now=now, policy=_NO_WAITING):
        case Done(doubt=doubt) if doubt is not None:
            return ProbeOutcome.DOUBTFUL, _where_to_doubt(answer_name(response), doubt)
        case Done():
            return ProbeOutcome.ACCEPTED, _where_to_look(answer_name(response), message_id)
        case Retry():
            return ProbeOutcome.BUSY, (f"reached, but it answered {answer_name(response)}: try again later",)
        case Hold(advice=advice) | Refuse(advice=advice):
            return ProbeOutcome.REFUSED, (advice,)


def _why_unreachable(response: Unanswered, *, now: float) -> str:
    decision = decide(response, attempt=1, jitter=0.0, now=now, policy=_NO_WAITING)
    return decision.advice if isinstance(decision, Hold) else _FAILURES[response.failure]


def _where_to_doubt(answer: str, doubt: Doubt) -> tuple[str, ...]:
    return (
        f"answered {answer}, and yet {DOUBT_WORDS[doubt]}",
        "check PIPELINE_SEGMENT_ENDPOINT and any proxy on the way: a worker takes the status for acceptance",
    )


def _where_to_look(answer: str, message_id: str) -> tuple[str, ...]:
    there = f"Connections > Sources > your source > Debugger, event {EVENT_NAME!r}, messageId {message_id}"
    silent = "Segment answers 200 to a key that it does not know, and throws the event away"
    return (
        f"answered {answer}; now look in Segment: {there}",
        f"no event there within a minute: the key belongs to no source of that region ({silent})",
    )
