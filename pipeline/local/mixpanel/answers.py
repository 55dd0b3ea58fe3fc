"""What Mixpanel answers to an import call, and what a server in front of it does.

Source: schemas/SOURCES.md, "Mixpanel import requests".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from pipeline.local.stand_ins.faults import Usual

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_REQUEST_BYTES: Final = 2_097_152
PROXY_TEXT: Final = "upstream connect error or disconnect/reset before headers"
EDGE_PAGE: Final = "<html><head><title>403 Forbidden</title></head></html>"


def success(imported: int) -> dict[str, Any]:
    """Return the body of an answer that accepts."""
    return {"code": 200, "num_records_imported": imported, "status": "OK"}


def refusal_of(failed: Sequence[Mapping[str, Any] | str], *, imported: int = 0) -> dict[str, Any]:
    """Return the body of an answer that lists failed events: a row for each, or texts if none was imported."""
    error = "some data points in the request failed validation"
    return {**_refusal(400, error, "Bad Request"), "num_records_imported": imported, "failed_records": failed}


def whole_refusal(error: str) -> dict[str, Any]:
    """Return the body of an answer that imports nothing and lists nothing."""
    return {**_refusal(400, error, "Bad Request"), "num_records_imported": 0}


def _refusal(code: int, error: str, status: str) -> dict[str, Any]:
    return {"code": code, "error": error, "status": status}


WRONG_CREDENTIALS: Final = _refusal(401, "Invalid credentials", "Unauthorized")
TOO_LARGE: Final = _refusal(413, f"request exceeds max limit of {MAX_REQUEST_BYTES} bytes", "Request Entity Too Large")
RATE_LIMITED: Final = _refusal(
    429, "Project exceeded rate limits. Please retry the request with exponential backoff.", "Too Many Requests"
)


def _json(answer: Mapping[str, Any]) -> Usual:
    return Usual(orjson.dumps(answer).decode())


_USUAL: Final = {
    400: _json(whole_refusal("the request body cannot be read")),
    401: _json(WRONG_CREDENTIALS),
    403: Usual(EDGE_PAGE, "text/html"),
    413: _json(TOO_LARGE),
    429: _json(RATE_LIMITED),
}
_OF_A_PROXY: Final = Usual(PROXY_TEXT, "text/plain")


def usual(status: int) -> Usual:
    """Return how a whole request is refused with a status; those that Mixpanel does not document are a proxy's."""
    return _USUAL.get(status, _OF_A_PROXY)
