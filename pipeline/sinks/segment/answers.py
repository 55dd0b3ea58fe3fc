"""Decide what an answer of Segment means: accepted, retry, isolate the record at fault, or hold."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson

from pipeline.delivery.answers import Answered, Response, Unanswered, is_success
from pipeline.delivery.decisions import Attempt, Decision, Done, Hold, Refuse, is_server_error, retry_later, unanswered
from pipeline.delivery.doubts import is_page, without_mark
from pipeline.delivery.error_text import error_texts
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.metrics.delivery import Doubt

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRIED_STATUSES: Final = frozenset({408, 410, 429, 460})
"""The 4xx that Segment's official clients retry (schemas/SOURCES.md, "Segment clients")."""
HELD_SERVER_ERRORS: Final = frozenset({501, 505})
"""The 5xx that they do not retry: the server does not support the request."""

REFUSALS: Final[Mapping[int, DeliveryRejectReason]] = {
    400: DeliveryRejectReason.REFUSED,
    413: DeliveryRejectReason.TOO_LARGE,
}
"""The answers about the records of the request. A 400 that names the write key is not one of these: it holds."""

_REDIRECT_ADVICE: Final = "redirects are not followed: set PIPELINE_SEGMENT_ENDPOINT to the address it moved to"
_ADVICE: Final[Mapping[int, str]] = {
    101: "the server switches to another protocol: check PIPELINE_SEGMENT_ENDPOINT and any proxy in between",
    **dict.fromkeys((301, 302, 303, 307, 308), _REDIRECT_ADVICE),
    304: "a cache answers instead of Segment: check any proxy in between",
    400: "check PIPELINE_SEGMENT_WRITE_KEY first; if the key is right, Segment does not accept a record of the batch",
    401: "check PIPELINE_SEGMENT_WRITE_KEY, and any proxy in between: Segment itself answers 200 to an unknown key",
    403: "check PIPELINE_SEGMENT_WRITE_KEY, and any proxy in between: Segment itself answers 200 to an unknown key",
    404: "check the path of PIPELINE_SEGMENT_ENDPOINT",
    405: "check the path of PIPELINE_SEGMENT_ENDPOINT",
    407: "a proxy in between requires its own credentials",
    413: "lower PIPELINE_SEGMENT_MAX_BATCH_BYTES: a proxy in between accepts less than Segment does",
    415: "check PIPELINE_SEGMENT_ENDPOINT, and PIPELINE_SEGMENT_GZIP: the server does not accept this content",
    501: "check PIPELINE_SEGMENT_ENDPOINT: the server does not know this call",
    505: "check PIPELINE_SEGMENT_ENDPOINT and any proxy in between: the server does not support this HTTP version",
}
_OTHER_ADVICE: Final = "this answer is not one of Segment's: check PIPELINE_SEGMENT_ENDPOINT and any proxy in between"
_KEY_ADVICE: Final = "Segment says that the write key is invalid: check PIPELINE_SEGMENT_WRITE_KEY"

_WRITE_KEY: Final = re.compile(r"write[ _-]?key", re.IGNORECASE)
"""Segment's own text is "An invalid write key was provided"; an error code would have the same words."""
_USUAL_BODIES: Final = frozenset({b'{"success":true}', b'{"success": true}', b"{}", b""})


def decide(response: Response, attempt: Attempt) -> Decision:
    """Return what a response means.

    Segment documents only 200. Another 2xx counts as 200 (RFC 9110, 15: an unknown code is treated as the x00 of its
    class), because a relay that answers 202 has accepted the records. A 400 is about a record of the batch, unless its
    error names the write key.
    """
    if isinstance(response, Unanswered):
        return unanswered(response, attempt, destination="Segment", endpoint_setting="PIPELINE_SEGMENT_ENDPOINT")
    status = response.status
    if is_success(status):
        return Done(doubt=doubt_of(response))
    if status in RETRIED_STATUSES or (is_server_error(status) and status not in HELD_SERVER_ERRORS):
        return retry_later(response, attempt)
    names_key = status == HTTPStatus.BAD_REQUEST and names_the_write_key(response.body)
    advice = f"Segment answered {status}: {_KEY_ADVICE if names_key else _ADVICE.get(status, _OTHER_ADVICE)}"
    if status in REFUSALS and not names_key:
        return Refuse(reason=REFUSALS[status], advice=advice)
    return Hold(after_seconds=attempt.slow_seconds, advice=advice)


def names_the_write_key(body: bytes) -> bool:
    """Return whether the error of an answer is about the write key. A record that it quotes may contain any words."""
    return any(_WRITE_KEY.search(text) for text in error_texts(body))


def doubt_of(answer: Answered) -> Doubt | None:
    """Return why an accepting answer may not be Segment's; None if it looks like Segment's own."""
    if answer.body in _USUAL_BODIES and answer.content_type == "application/json":
        return None
    if is_page(answer.content_type, answer.body):
        return Doubt.PAGE
    return Doubt.NOT_SUCCESS if answer.body not in _USUAL_BODIES and _denies_success(answer.body) else None


def _denies_success(body: bytes) -> bool:
    try:
        answer = orjson.loads(without_mark(body))
    except orjson.JSONDecodeError:
        return False
    return isinstance(answer, dict) and answer.get("success") is False
