"""Fill in the content of late engagements from earlier events of the same message.

OneSignal keeps the content of a message for 30 days; a later engagement has blank ``message.*`` except the id
(schemas/SOURCES.md, "OneSignal messages after 30 days"). Blank fields are then filled in from an earlier event of the
same message, before the rules are evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from pipeline.core.cleaning import part_without_nul
from pipeline.core.content import Content
from pipeline.core.ids import EMPTY_IDS
from pipeline.core.kinds import Category
from pipeline.core.localized import is_empty
from pipeline.core.privacy import clean_url
from pipeline.core.texts import shown

if TYPE_CHECKING:
    from pipeline.core.content import EventContent
    from pipeline.core.events import Event


class Catalogue(Protocol):
    """The content of messages by id."""

    def find(self, message_id: str) -> Content | None:
        """Return the content of a message; None when it is unknown."""


def consult(catalogue: Catalogue, event: Event, category: Category) -> tuple[Event, Content | None]:
    """Return the event, filled in if it is a late engagement, and the content that the catalogue should learn from it.

    The event is the same object when nothing was filled in.
    """
    content = event.message
    if content is None or not content.id:
        return event, None
    known = catalogue.find(content.id)
    is_blank = shown(content.name) is None and is_empty(content.title) and is_empty(content.contents)
    if known is None:
        return event, None if is_blank else _without_recipient(content)
    if is_blank and category is Category.ENGAGEMENT:
        return replace(event, message=_filled(content, known)), None
    return event, None


def usable(stored: Content) -> Content | None:
    """Return stored content as it would be learnt today; None when its id is empty or all its texts are blank.

    Earlier versions stored placeholders and U+0000, and messages whose id was a placeholder.
    """
    content = part_without_nul(stored)
    if not content.id or EMPTY_IDS.reason(content.id) is not None:
        return None
    found = Content(
        id=content.id,
        name=shown(content.name),
        title=None if is_empty(content.title) else content.title,
        contents=None if is_empty(content.contents) else content.contents,
        template_id=None if content.template_id and EMPTY_IDS.reason(content.template_id) else content.template_id,
        url=shown(content.url),
    )
    return found if found.name or found.title or found.contents else None


def _without_recipient(content: EventContent) -> Content:
    """Return the content that all recipients have in common. What can identify a recipient is removed from the link."""
    return Content(
        content.id,
        content.name,
        content.title,
        content.contents,
        content.template_id,
        clean_url(content.url) if content.url else content.url,
    )


def _filled(content: EventContent, known: Content) -> EventContent:
    has_link = any(map(shown, (content.url, content.app_url, content.web_url)))
    return replace(
        content,
        name=shown(content.name) or known.name,
        title=known.title if is_empty(content.title) else content.title,
        contents=known.contents if is_empty(content.contents) else content.contents,
        template_id=content.template_id or known.template_id,
        url=content.url if has_link else known.url,
    )
