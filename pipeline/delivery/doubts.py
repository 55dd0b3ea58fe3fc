"""Warn of accepted requests whose answers do not look like the destination's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.metrics.delivery import Doubt, UnclearAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import structlog

USUAL_IN_A_ROW: Final = 100
"""So many expected answers end a doubt. Behind a load balancer, only one server may give the unexpected ones."""
_PAGE_TYPES: Final = ("text/html", "application/xhtml")
_PAGE_TAGS: Final = (b"<!doctype html", b"<html")
_PAGE_TAGS_WITHIN: Final = 512
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
"""Blanks and the byte order mark, which may precede the first character."""

DOUBT_WORDS: Final[Mapping[Doubt, str]] = {
    Doubt.PAGE: "the answer is a web page, which this destination does not send: is it a login page, or from a proxy?",
    Doubt.NOT_SUCCESS: "the answer reports a failure",
}


UNCLEAR_WORDS: Final[Mapping[UnclearAnswer, str]] = {
    UnclearAnswer.NOT_WHOLE: "the answer was cut off",
    UnclearAnswer.NOT_UNDERSTOOD: "the answer was not understood",
    UnclearAnswer.CONTRADICTION: "the numbers in the answer contradict what was sent",
}


def is_page(content_type: str | None, body: bytes) -> bool:
    """Return whether an answer is HTML, by its type or its first tag. ``body`` may be incomplete.

    A comment or an XML declaration may precede the first tag.
    """
    if (content_type or "").lower().startswith(_PAGE_TYPES):
        return True
    beginning = body.lstrip(_BLANK)
    first_tags = beginning[:_PAGE_TAGS_WITHIN].lower() if beginning[:1] == b"<" else b""
    return any(tag in first_tags for tag in _PAGE_TAGS)


def without_mark(body: bytes) -> bytes:
    """Return a body without a leading byte order mark and blanks."""
    return body.lstrip(_BLANK)


class Doubts:
    """The doubt about recent answers, logged when it begins, changes and ends.

    Args:
        logger: Logs for the destination.
        endpoint_setting: The environment variable of the destination's address.
    """

    def __init__(self, logger: structlog.stdlib.BoundLogger, *, endpoint_setting: str) -> None:
        self._logger = logger
        self._endpoint_setting = endpoint_setting
        self._doubt: Doubt | None = None
        self._usual = 0

    def judged(self, doubt: Doubt | None) -> None:
        """Called with each answer that accepted."""
        if doubt is None:
            self._end()
            return
        self._usual = 0
        if doubt is not self._doubt:
            self._doubt = doubt
            self._logger.warning(
                "accepted requests may be lost",
                reason=f"{DOUBT_WORDS[doubt]}; check {self._endpoint_setting} and any proxy in between",
            )

    def _end(self) -> None:
        if self._doubt is None:
            return
        self._usual += 1
        if self._usual == USUAL_IN_A_ROW:
            self._doubt = None
            self._usual = 0
            self._logger.info("answers are as expected again")
