"""What a result shows about the chosen values, so that the likeliest are tried first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.fuzz.results import Result

_PROPERTIES: Final = {
    "message.id": "messageId",
    "message.url": "url",
    "message.template_id": "template_id",
    "event.subscription_id": "subscription_id",
    "event.onesignal_id": "onesignal_id",
}


def hints_of(result: Result) -> Mapping[str, Any]:
    """Return the values that a delivered record shows, by the paths of a reading."""
    if not result.record:
        return {}
    record = json.loads(result.record)
    properties = record["properties"]
    return {
        "kind": result.kind,
        "event.external_id": record.get("userId"),
        "event.id": record["messageId"],
        "event.app_id": record["context"]["onesignal"].get("app_id"),
        "time": record.get("timestamp"),
        "message.title": _texts(properties.get("message_title")),
        "message.contents": _texts(properties.get("message_contents")),
        "live kind": result.live,
        **{path: properties.get(name) for path, name in _PROPERTIES.items()},
    }


def _texts(text: str | None) -> dict[str, str] | None:
    return None if text is None else {"en": text}
