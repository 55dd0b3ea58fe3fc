"""Segment's implementation of the contract `pipeline.delivery.api.Api`."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from yarl import URL

from pipeline.core.destinations.segment.limits import MAX_RECORD_BYTES
from pipeline.delivery.client import HttpClient, HttpOptions, RequestClient
from pipeline.delivery.limits import RequestLimits
from pipeline.delivery.probe import ProbeReport, send_marked
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.dead_letters import Stage
from pipeline.sinks.segment import answers, body
from pipeline.sinks.segment.credentials import authorization
from pipeline.sinks.segment.options import ENDPOINTS
from pipeline.sinks.segment.probe import marked_event, where_to_look
from pipeline.sinks.segment.record_check import SegmentRejectReason, check_record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from enum import StrEnum

    from pydantic import SecretStr

    from pipeline.delivery.answers import Response
    from pipeline.delivery.decisions import Attempt, Decision
    from pipeline.sinks.segment.options import SegmentOptions

STAGE: Final = Stage("segment-sink")
MAX_ANSWER_BYTES: Final = 4096
"""Segment's status carries the verdict. The body tells whether a 400 is about the write key."""


class SegmentApi:
    """Segment's batch call. See `pipeline.delivery.api.Api` for the contract.

    Args:
        options: How to reach Segment and how to fill requests.
        write_key: Returns the current write key, which may change; by default that of the options.
    """

    name: Final = "segment"
    title: Final = "Segment"
    stage: Final = STAGE
    reject_reasons: Collection[StrEnum] = (*DeliveryRejectReason, *SegmentRejectReason)
    max_seconds_ahead: float | None = None
    max_answer_bytes: Final = MAX_ANSWER_BYTES

    def __init__(self, options: SegmentOptions, *, write_key: Callable[[], SecretStr] | None = None) -> None:
        self._options = options
        self._write_key = write_key or (lambda: options.write_key)
        self.limits = RequestLimits(
            max_bytes=options.max_batch_bytes,
            max_records=options.max_batch_records,
            max_record_bytes=MAX_RECORD_BYTES,
            envelope_bytes=body.ENVELOPE_BYTES,
            separator_bytes=body.SEPARATOR_BYTES,
        )

    def examine(self, record: bytes) -> StrEnum | float:
        """Return the reason why a record is invalid, or the time of its event."""
        return check_record(record, max_bytes=self.limits.max_record_bytes)

    def build_body(self, records: Sequence[bytes], *, sent_at: float) -> bytes:
        """Return the body of a batch call with these records."""
        return body.build_body(records, sent_at=sent_at)

    def decide(self, response: Response, attempt: Attempt) -> Decision:
        """Return what a response means."""
        return answers.decide(response, attempt)

    def connect(self) -> RequestClient:
        """Return a new client for the endpoint of the options.

        Segment asks clients to resolve its name again after a 5xx and at least daily
        (schemas/SOURCES.md, "Segment host addresses"); the client does both.
        """
        options = HttpOptions(
            url=self._options.endpoint,
            timeout_seconds=self._options.request_timeout_seconds,
            gzip=self._options.gzip,
            max_answer_bytes=self.max_answer_bytes,
        )
        return HttpClient(options, authorization=lambda: authorization(self._write_key()))

    async def probe(
        self, *, wall_clock: Callable[[], float] = time.time, new_id: Callable[[], uuid.UUID] = uuid.uuid4
    ) -> ProbeReport:
        """Send one marked event and report where to look for it. The options have checked the format of the key."""
        message_id, now = str(new_id()), wall_clock()
        report = await send_marked(
            self, marked_event(message_id, now), now=now, where_to_look=where_to_look(message_id)
        )
        return replace(report, lines=(self._where(), *report.lines))

    def _where(self) -> str:
        regions = [region for region, endpoint in ENDPOINTS.items() if endpoint == self._options.endpoint]
        name = f"region {regions[0]}" if regions else "a custom endpoint"
        return f"write key: valid format; endpoint: {URL(self._options.endpoint).host} ({name})"
