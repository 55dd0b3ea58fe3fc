"""``message``: what was sent. A module of its own, since what is remembered of messages is part of outcomes."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

Text: TypeAlias = str | None
Localized: TypeAlias = str | dict[str, Any] | None
"""A text, or one text for each language."""


class Content(msgspec.Struct, frozen=True, gc=False):
    """What was sent. Blank for engagements later than 30 days (domain.md 1.1)."""

    id: Text = None
    name: Text = None
    title: Localized = None
    contents: Localized = None
    template_id: Text = None
    url: Text = None
