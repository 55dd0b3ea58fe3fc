"""A second destination, unlike Segment: other limits, bodies that are JSON arrays, answers that accept in part.

It shows how little a destination needs, and that delivery knows nothing of Segment. Its answers are
`{"accepted": 3, "failed": [{"index": 1, "why": "no_id"}]}` with status 200 or 400. A 400 without such a body refuses
every record. The body carries the verdict, so the result of a request is unknown while the body is not whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec
import orjson

from pipeline.delivery.answers import Answered, Response, Unanswered
from pipeline.delivery.client import HttpClient, HttpOptions, RequestClient
from pipeline.delivery.decisions import (
    Attempt,
    Decision,
    Done,
    Hold,
    Refuse,
    RefusedRecord,
    Unknown,
    is_server_error,
    retry_later,
    unanswered,
)
from pipeline.delivery.doubts import is_page
from pipeline.delivery.examination import UNKNOWN_TIME
from pipeline.delivery.limits import RequestLimits
from pipeline.delivery.probe import ProbeReport, send_marked
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.dead_letters import Stage
from pipeline.metrics.delivery import Doubt, UnclearAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

_HEAD, _SEPARATOR, _TAIL = b"[\n", b",\n", b"\n]"

STAGE: Final = Stage("array-sink")


class ArrayRejectReason(StrEnum):
    """Reasons of this destination alone."""

    NO_ID = "no_id"


class _Failed(msgspec.Struct, frozen=True):
    index: int
    why: str


class _Verdict(msgspec.Struct, frozen=True):
    accepted: int | None = None
    failed: tuple[_Failed, ...] = ()


_LIMITS: Final = RequestLimits(
    max_bytes=60_000,
    max_records=400,
    max_record_bytes=32_768,
    envelope_bytes=len(_HEAD) + len(_TAIL),
    separator_bytes=len(_SEPARATOR),
)


@dataclass(kw_only=True)
class ArrayApi:
    """See `pipeline.delivery.api.Api`. ``connection`` replaces HTTP by a fake."""

    name: str = "array"
    title: str = "Array"
    stage: Stage = STAGE
    reject_reasons: Collection[StrEnum] = field(default=(*DeliveryRejectReason, *ArrayRejectReason))
    limits: RequestLimits = _LIMITS
    max_seconds_ahead: float | None = None
    max_answer_bytes: int = 100_000
    endpoint: str = "https://array.test/import"
    connection: Callable[[], RequestClient] | None = None

    def examine(self, record: bytes) -> StrEnum | float:
        if len(record) > self.limits.max_record_bytes:
            return DeliveryRejectReason.TOO_LARGE
        try:
            read = orjson.loads(record)
        except orjson.JSONDecodeError:
            return DeliveryRejectReason.NOT_JSON
        if not isinstance(read, dict) or not read.get("messageId"):
            return ArrayRejectReason.NO_ID
        at = read.get("at")
        return float(at) if isinstance(at, int | float) else UNKNOWN_TIME

    def build_body(self, records: Sequence[bytes], *, sent_at: float) -> bytes:
        del sent_at  # events have a time field of their own here
        return _HEAD + _SEPARATOR.join(records) + _TAIL

    def decide(self, response: Response, attempt: Attempt) -> Decision:
        if isinstance(response, Unanswered):
            return unanswered(response, attempt, destination=self.title, endpoint_setting="PIPELINE_ARRAY_ENDPOINT")
        if response.status == 429 or is_server_error(response.status):
            return retry_later(response, attempt)
        if response.status == 413:
            return Refuse(reason=DeliveryRejectReason.TOO_LARGE, advice="Array answered 413")
        if response.status not in {200, 202, 400}:
            return Hold(after_seconds=attempt.slow_seconds, advice=f"Array answered {response.status}: look")
        if not response.whole:
            return Unknown(answer=UnclearAnswer.NOT_WHOLE, advice="Array's answer was cut")
        return self._verdict(response, attempt)

    def _verdict(self, answer: Answered, attempt: Attempt) -> Decision:
        try:
            verdict = msgspec.json.decode(answer.body, type=_Verdict)
        except msgspec.ValidationError:
            return Hold(after_seconds=attempt.slow_seconds, advice="Array answered with an unknown body")
        except (msgspec.DecodeError, RecursionError):
            verdict = _Verdict()
        if answer.status == 400 and verdict == _Verdict():
            return Refuse(reason=DeliveryRejectReason.REFUSED, advice="Array answered 400")
        refused = tuple(RefusedRecord(index=row.index, reason=_reason(row.why)) for row in verdict.failed)
        doubt = Doubt.PAGE if is_page(answer.content_type, answer.body) else None
        return Done(refused=refused, accepted=verdict.accepted, doubt=doubt)

    def connect(self) -> RequestClient:
        if self.connection is not None:
            return self.connection()
        options = HttpOptions(
            url=self.endpoint,
            timeout_seconds=15.0,
            gzip=False,
            max_answer_bytes=self.max_answer_bytes,
            answer_seconds=15.0,
        )
        return HttpClient(options, authorization=lambda: "Bearer token")

    async def probe(self) -> ProbeReport:
        return await send_marked(self, b'{"messageId":"check"}', now=0.0, where_to_look=("look in Array",))


def answer(*failed: tuple[int, str], accepted: int, status: int = 400) -> Answered:
    """Build an answer of this destination; ``failed`` are indexes with reasons."""
    rows = [{"index": index, "why": why} for index, why in failed]
    return Answered(status=status, body=orjson.dumps({"accepted": accepted, "failed": rows}))


def _reason(word: str) -> StrEnum:
    return ArrayRejectReason(word) if word in list(ArrayRejectReason) else DeliveryRejectReason.REFUSED
