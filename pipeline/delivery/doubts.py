"""Warn of accepted requests whose answers are not Segment's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
import structlog

from pipeline.metrics.delivery import Doubt

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = structlog.get_logger(__name__)

USUAL_IN_A_ROW: Final = 100
"""So many usual answers end a doubt: behind a load balancer, one of several servers may give the odd ones."""
_USUAL: Final = frozenset({b'{"success":true}', b'{"success": true}', b"{}", b""})
_PAGE_TYPES: Final = ("text/html", "application/xhtml")
_PAGE_TAGS: Final = (b"<!doctype html", b"<html")
_PAGE_TAGS_WITHIN: Final = 512
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
"""What may stand before the first character: a byte order mark too."""

DOUBT_WORDS: Final[Mapping[Doubt, str]] = {
    Doubt.PAGE: "the answer is a web page, which Segment does not send: a login page, or a proxy on the way?",
    Doubt.NOT_SUCCESS: "the answer says that it was no success",
}


def doubt_of(content_type: str | None, body: bytes) -> Doubt | None:
    """Return why an answer that accepts is not Segment's; None if nothing speaks against it. ``body`` may be cut."""
    if body in _USUAL and content_type == "application/json":
        return None
    beginning = body.lstrip(_BLANK)
    if (content_type or "").lower().startswith(_PAGE_TYPES) or _is_page(beginning):
        return Doubt.PAGE
    return Doubt.NOT_SUCCESS if body not in _USUAL and _denies_success(beginning) else None


def _is_page(body: bytes) -> bool:
    """Return whether a body is HTML; a comment, or what says that it is XML, may stand before the first tag."""
    beginning = body[:_PAGE_TAGS_WITHIN].lower() if body[:1] == b"<" else b""
    return any(tag in beginning for tag in _PAGE_TAGS)


def _denies_success(body: bytes) -> bool:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(answer, dict) and answer.get("success") is False


class Doubts:
    """What is doubtful about the answers of late. It is logged once, until it changes or ends."""

    def __init__(self) -> None:
        self._doubt: Doubt | None = None
        self._usual = 0

    def tell(self, doubt: Doubt | None) -> None:
        """Called with each answer that accepted."""
        if doubt is None:
            self._end()
            return
        self._usual = 0
        if doubt is not self._doubt:
            self._doubt = doubt
            logger.warning(
                "segment requests count as accepted by their status, and may be lost",
                reason=f"{DOUBT_WORDS[doubt]}; check PIPELINE_SEGMENT_ENDPOINT and any proxy on the way",
            )

    def _end(self) -> None:
        if self._doubt is None:
            return
        self._usual += 1
        if self._usual == USUAL_IN_A_ROW:
            self._doubt = None
            self._usual = 0
            logger.info("segment answers as usual again")
