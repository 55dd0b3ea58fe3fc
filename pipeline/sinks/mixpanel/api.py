"""Mixpanel's implementation of the contract `pipeline.delivery.api.Api`."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from yarl import URL

from pipeline.core.destinations.mixpanel.limits import MAX_RECORD_BYTES
from pipeline.delivery.client import HttpClient, HttpOptions, RequestClient
from pipeline.delivery.limits import RequestLimits
from pipeline.delivery.probe import ProbeReport, send_marked
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.kafka.dead_letters import Stage
from pipeline.sinks.mixpanel import answers, body
from pipeline.sinks.mixpanel.credentials import authorization
from pipeline.sinks.mixpanel.options import ENDPOINTS, MAX_REQUEST_RECORDS
from pipeline.sinks.mixpanel.probe import marked_event, where_to_look
from pipeline.sinks.mixpanel.record_check import MixpanelRejectReason, check_record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from enum import StrEnum

    from pydantic import SecretStr

    from pipeline.delivery.answers import Response
    from pipeline.delivery.decisions import Attempt, Decision
    from pipeline.sinks.mixpanel.options import MixpanelOptions

STAGE: Final = Stage("mixpanel-sink")
MAX_ROW_BYTES: Final = 2_048
"""One row of `failed_records`. Its message may quote a value of 255 characters, each up to 6 bytes where JSON escapes
it: 1,530 bytes. The rest, with an insert id of 36 characters and the name of a field, has 518."""
MAX_ANSWER_BYTES: Final = 2 * MAX_REQUEST_RECORDS * MAX_ROW_BYTES
"""Two rows for each record of the largest request, about 8 MB. A longer answer counts as cut off, and the same request
would be refused in the same way again and again. An ordinary answer has some 60 bytes."""
MAX_SECONDS_AHEAD: Final = 3_600.0
"""Mixpanel refuses an event whose time is later than this from now (schemas/SOURCES.md, "Mixpanel import requests")."""
INTEGRATION_ID: Final = "onesignal-pipeline"


class MixpanelApi:
    """Mixpanel's import call. See `pipeline.delivery.api.Api` for the contract.

    Args:
        options: How to reach Mixpanel and how to fill requests.
        secret: Returns the current token, or secret of the service account, which may change; by default that of the
            options.
    """

    name: Final = "mixpanel"
    title: Final = "Mixpanel"
    stage: Final = STAGE
    reject_reasons: Collection[StrEnum] = (*DeliveryRejectReason, *MixpanelRejectReason)
    max_answer_bytes: Final = MAX_ANSWER_BYTES
    max_seconds_ahead: float | None = MAX_SECONDS_AHEAD

    def __init__(self, options: MixpanelOptions, *, secret: Callable[[], SecretStr] | None = None) -> None:
        self._options = options
        self._secret = secret or (lambda: options.secret)
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
        """Return the body of an import call with these records."""
        del sent_at  # each event has its own time, and a retry must have the same bytes
        return body.build_body(records)

    def decide(self, response: Response, attempt: Attempt) -> Decision:
        """Return what a response means."""
        return answers.decide(response, attempt)

    def connect(self) -> RequestClient:
        """Return a new client for the endpoint of the options. The body of an answer may take as long as its head."""
        options = HttpOptions(
            url=self._options.url,
            timeout_seconds=self._options.request_timeout_seconds,
            gzip=self._options.gzip,
            max_answer_bytes=self.max_answer_bytes,
            answer_seconds=self._options.request_timeout_seconds,
            headers={"X-Mixpanel-Integration-ID": INTEGRATION_ID},
        )
        return HttpClient(options, authorization=lambda: authorization(self._options.service_account, self._secret()))

    async def probe(
        self, *, wall_clock: Callable[[], float] = time.time, new_id: Callable[[], uuid.UUID] = uuid.uuid4
    ) -> ProbeReport:
        """Send one marked event and report where to look for it."""
        insert_id, now = str(new_id()), wall_clock()
        report = await send_marked(self, marked_event(insert_id, now), now=now, where_to_look=where_to_look(insert_id))
        return replace(report, lines=(self._where(), *report.lines))

    def _where(self) -> str:
        regions = [region for region, endpoint in ENDPOINTS.items() if endpoint == self._options.endpoint]
        name = f"region {regions[0]}" if regions else "a custom endpoint"
        account = self._options.service_account is not None
        credentials = f"service account, project {self._options.project_id}" if account else "project token"
        return f"credentials: {credentials}; endpoint: {URL(self._options.endpoint).host} ({name})"
