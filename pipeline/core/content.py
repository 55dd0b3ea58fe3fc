"""``message`` and ``event.data``: what was sent.

This is a separate module because outcomes contain it too: the message catalogue stores it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

Text: TypeAlias = str | None
Localized: TypeAlias = str | dict[str, Any] | None
"""A text, or one text for each language."""


class Content(msgspec.Struct, frozen=True, gc=False):
    """What was sent. Blank for engagements later than 30 days.

    Source: schemas/SOURCES.md, "OneSignal messages after 30 days".
    """

    id: Text = None
    name: Text = None
    title: Localized = None
    contents: Localized = None
    template_id: Text = None
    url: Text = None


class EventContent(Content, frozen=True, gc=False):
    """``message`` of one event, including the fields that depend on the device or on the event."""

    app_url: Text = None
    web_url: Text = None
    live_activity_event_kind: Text = None


class Details(msgspec.Struct, frozen=True, gc=False):
    """``event.data``: the fields that only some kinds have."""

    page_name: Text = None
    page_id: Text = None
    target_name: Text = None
    target_id: Text = None
    failure_reason: Text = None
    live_activity_id: Text = None
    live_activity_type: Text = None
