"""What is known of messages from their earlier events, for engagements that come when OneSignal has forgotten it.

OneSignal keeps what a message said for 30 days; a later engagement has blank ``message.*`` but for the id (domain.md
1.1). What an earlier event of the same message said is filled in then, blanks only, before the rules see the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from pipeline.core.kinds import Category
from pipeline.core.privacy import clean_url

if TYPE_CHECKING:
    from pipeline.core.content import Content, Localized
    from pipeline.core.events import Event


class Catalogue(Protocol):
    """What messages said, by their id."""

    def find(self, message_id: str) -> Content | None:
        """Return what is known of a message; None when nothing is."""


def consult(catalogue: Catalogue, event: Event, category: Category) -> tuple[Event, Content | None]:
    """Return the event, filled in where it is a late engagement, and what the catalogue should learn from it.

    The event is the same object where there was nothing to fill in.
    """
    content = event.message
    if content is None or _is_blank(content.id):
        return event, None
    known = catalogue.find(content.id or "")
    says_nothing = _is_blank(content.name) and _is_blank(content.title) and _is_blank(content.contents)
    if known is None:
        return event, None if says_nothing else _said_to_everybody(content)
    if says_nothing and category is Category.ENGAGEMENT:
        return replace(event, message=_filled(content, known)), None
    return event, None


def _said_to_everybody(content: Content) -> Content:
    """Take out of the link what can name the person it was made for: others will be told it too."""
    return replace(content, url=clean_url(content.url)) if content.url else content


def _filled(content: Content, known: Content) -> Content:
    return replace(
        content,
        name=known.name if _is_blank(content.name) else content.name,
        title=known.title if _is_blank(content.title) else content.title,
        contents=known.contents if _is_blank(content.contents) else content.contents,
        template_id=known.template_id if _is_blank(content.template_id) else content.template_id,
        url=known.url if _is_blank(content.url) else content.url,
    )


def _is_blank(text: Localized) -> bool:
    return not text or (isinstance(text, str) and text.isspace())
