"""An event name for a kind that a destination has no name for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.kinds import Kind

_SPECIAL_WORDS: Final[Mapping[str, str]] = {"iam": "In-App Message", "sms": "SMS"}
_BETWEEN_WORDS: Final = re.compile(r"[^0-9a-z]+")


def derived_name(kind: Kind) -> str:
    """Return a name for an unknown kind, built from its words: ``message.sms.opted_out`` is ``SMS Opted Out``.

    It begins with a letter or a digit, so it is none of a destination's reserved names.
    """
    words = [word for word in _BETWEEN_WORDS.split(kind.name.removeprefix("message.")) if word]
    return " ".join(_SPECIAL_WORDS.get(word, word.capitalize()) for word in words) or "Unknown"
