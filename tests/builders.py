"""Realistic raw events in every body shape, and the Kafka messages that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.segment.builders import SegmentRecords

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Event: TypeAlias = dict[str, Any]
"""A raw event in the canonical nested form, before it is encoded."""

STORED_AT = 1_767_225_660_500
"""When Kafka stored the messages built here: 2026-01-01T00:01:00.500Z, in milliseconds."""


SEGMENT: Final = SegmentRecords()
"""The arguments with which a policy builds records for Segment, under OneSignal's own event names."""


MIXPANEL: Final = MixpanelRecords()


class BodyShape(StrEnum):
    """The shapes of a body (schemas/SOURCES.md, "OneSignal body shapes")."""

    NESTED = "nested"
    DOTTED = "dotted"
    GROUPED = "grouped"
    SNAKE = "snake"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """A message as Kafka gives it."""

    value: bytes | None
    topic: str = "onesignal.events"
    partition: int = 0
    offset: int = 0
    key: bytes | None = None
    timestamp: int = STORED_AT
    headers: Sequence[tuple[str, bytes]] = ()


def raw_event(
    kind: str = "message.push.clicked",
    *,
    message: Mapping[str, Any] | None = None,
    user: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    **event: Any,
) -> Event:
    """Build the typical event of 737 bytes; keyword arguments are fields of ``event``, the mappings of the others."""
    return {
        "event": {
            "kind": kind,
            "id": "0b0e5c9a-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "timestamp": 1_767_225_600,
            "datetime": "2026-01-01T00:00:00.120Z",
            "app_id": "7d1c3c52-7a7d-4a30-8f0c-8b4f4b9f6a11",
            "subscription_device_type": "iOS",
            "subscription_id": "c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69",
            "onesignal_id": "9e2b64f0-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "external_id": "u-1001",
            "data": dict(data or {}),
            **event,
        },
        "message": {
            "id": "f3c9a3b1-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "name": "new-year",
            "title": {"en": "Happy new year", "de": "Gutes neues Jahr"},
            "contents": "Come in and see what is new for you",
            "template_id": "",
            "url": "https://shop.example/new-year",
            **(message or {}),
        },
        "user": {
            "language": "en",
            "tags": {"plan": "premium"},
            "subscription": {"subscription_token": "6f1a0cf2b7d94e0f", "device_model": "iPhone15,2"},
            **(user or {}),
        },
    }


def encode(event: Event, shape: BodyShape = BodyShape.NESTED) -> bytes:
    """Encode a nested event as a body of a shape."""
    match shape:
        case BodyShape.NESTED:
            return orjson.dumps(event)
        case BodyShape.DOTTED:
            return orjson.dumps(_flat(event, "."))
        case BodyShape.GROUPED:
            groups: Event = {}
            for path, value in _flat(event, ".").items():
                groups.setdefault(f"{path.partition('.')[0].capitalize()} Data", {})[path] = value
            return orjson.dumps(groups)
        case BodyShape.SNAKE:
            return orjson.dumps({_COLUMNS.get(path, path): value for path, value in _flat(event, "_").items()})


def raw_message(event: Event, shape: BodyShape = BodyShape.NESTED, *, offset: int = 0) -> RawMessage:
    """Build the message of an event, keyed as the pipeline requires."""
    key = event["event"].get("external_id") or event["event"].get("subscription_id") or ""
    return RawMessage(value=encode(event, shape), key=str(key).encode(), offset=offset)


_COLUMNS = {
    **{
        f"event_{name}": name
        for name in ("app_id", "subscription_device_type", "subscription_id", "onesignal_id", "external_id")
    },
    "message_template_id": "template_id",
    "user_language": "language",
    **{
        f"event_data_{name}": name
        for name in (
            "failure_reason",
            "page_name",
            "page_id",
            "target_name",
            "target_id",
            "live_activity_id",
            "live_activity_type",
        )
    },
}
"""The columns of OneSignal's warehouse export do not name their part; the details follow them."""


def _flat(event: Event, separator: str) -> Event:
    flat: Event = {}
    for part, fields in event.items():
        for name, value in fields.items():
            if f"{part}.{name}" == "event.data":
                flat |= {separator.join((part, name, detail)): found for detail, found in value.items()}
            else:
                flat[f"{part}{separator}{name}"] = value
    return flat
