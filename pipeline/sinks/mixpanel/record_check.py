"""Check a record before it is sent: one invalid event makes Mixpanel refuse it, drop it silently, or hide others.

Sources: schemas/SOURCES.md, "Mixpanel import limits" and "Mixpanel reserved properties".
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import orjson

from pipeline.core.destinations.mixpanel.limits import (
    DISALLOWED_IDS,
    EARLIEST_MS,
    LATEST_MS,
    MAX_DEPTH,
    MAX_PROPERTIES,
    MAX_TEXT_CHARACTERS,
    is_insert_id,
    is_spelled_as_insert_id,
)
from pipeline.core.destinations.mixpanel.record import DetailedProperties
from pipeline.delivery.reject_reasons import DeliveryRejectReason

if TYPE_CHECKING:
    from collections.abc import Mapping

IDENTITY_EVENTS: Final = frozenset({"$identify", "$create_alias", "$merge"})
"""On a project with Simplified ID Merge, one of them makes Mixpanel refuse the whole request."""
HARMFUL_PROPERTIES: Final = frozenset({"$ignore", "bucket", "$bucket"})
"""The first drops its event silently; the others hide events of the project."""
_MILLISECONDS: Final = 1000


class MixpanelRejectReason(StrEnum):
    """Reasons of Mixpanel alone."""

    NOT_AN_EVENT = "not_an_event"
    NO_EVENT_NAME = "no_event_name"
    EVENT_NAME_TOO_LONG = "event_name_too_long"
    IDENTITY_EVENT = "identity_event"
    NO_USER = "no_user"
    USER_ID_TOO_LONG = "user_id_too_long"
    DISALLOWED_USER_ID = "disallowed_user_id"
    INVALID_INSERT_ID = "invalid_insert_id"
    INVALID_TIME = "invalid_time"
    TOO_MANY_PROPERTIES = "too_many_properties"
    HARMFUL_PROPERTY = "harmful_property"


class _Properties(DetailedProperties, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """The properties that we send: flat, few, and none of them harmful."""

    time: Annotated[int, msgspec.Meta(ge=EARLIEST_MS, le=LATEST_MS)]
    distinct_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS)]


class _Event(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A record as we build it."""

    event: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
    properties: _Properties


_decode: Final = msgspec.json.Decoder(_Event).decode


def check_record(record: bytes, *, max_bytes: int) -> StrEnum | float:
    """Return the reason why a record is invalid; if it is valid, the time of its event in seconds since the epoch.

    Decoding checks most of a record that has no other properties than ours. Any other record is judged by `_diagnose`,
    which takes six times as long; msgspec would skip properties that it does not know, and not validate their UTF-8.
    """
    if len(record) > max_bytes:
        return DeliveryRejectReason.TOO_LARGE
    try:
        found = _decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _diagnose(record)
    properties, name = found.properties, found.event
    user, insert_id = properties.distinct_id, properties.insert_id
    if (
        user in DISALLOWED_IDS
        or name in IDENTITY_EVENTS
        or is_spelled_as_insert_id(insert_id) is None
        or insert_id.lower() in DISALLOWED_IDS
        or name.isspace()
        or user.isspace()
    ):
        return _diagnose(record)
    return properties.time / _MILLISECONDS


def _diagnose(record: bytes) -> StrEnum | float:
    """Return the same as `check_record`, slowly. This is the definition; `check_record` is the fast path."""
    try:
        found = orjson.loads(record)
    except orjson.JSONDecodeError:
        return DeliveryRejectReason.NOT_JSON
    if not isinstance(found, dict) or not isinstance(properties := found.get("properties"), dict):
        return MixpanelRejectReason.NOT_AN_EVENT
    depth, widest = _nesting(properties)
    for reason, wrong in (
        (DeliveryRejectReason.TOO_DEEP, depth > MAX_DEPTH),
        *_faults_of_name(found.get("event")),
        *_faults_of_user(properties.get("distinct_id")),
        (MixpanelRejectReason.INVALID_INSERT_ID, not _is_insert_id(properties.get("$insert_id"))),
        (MixpanelRejectReason.INVALID_TIME, not _is_time(properties.get("time"))),
        (MixpanelRejectReason.TOO_MANY_PROPERTIES, widest >= MAX_PROPERTIES),
        (MixpanelRejectReason.HARMFUL_PROPERTY, not HARMFUL_PROPERTIES.isdisjoint(properties)),
    ):
        if wrong:
            return reason
    time: int = properties["time"]
    return time / _MILLISECONDS


def _faults_of_name(name: object) -> tuple[tuple[StrEnum, bool], ...]:
    text = name if isinstance(name, str) else ""
    return (
        (MixpanelRejectReason.NO_EVENT_NAME, not text.strip()),
        (MixpanelRejectReason.EVENT_NAME_TOO_LONG, len(text) > MAX_TEXT_CHARACTERS),
        (MixpanelRejectReason.IDENTITY_EVENT, text in IDENTITY_EVENTS),
    )


def _faults_of_user(user: object) -> tuple[tuple[StrEnum, bool], ...]:
    text = user if isinstance(user, str) else ""
    return (
        (MixpanelRejectReason.NO_USER, not text.strip()),
        (MixpanelRejectReason.USER_ID_TOO_LONG, len(text) > MAX_TEXT_CHARACTERS),
        (MixpanelRejectReason.DISALLOWED_USER_ID, text in DISALLOWED_IDS),
    )


def _is_insert_id(value: object) -> bool:
    return isinstance(value, str) and is_insert_id(value)


def _is_time(value: object) -> bool:
    return type(value) is int and EARLIEST_MS <= value <= LATEST_MS


def _nesting(properties: Mapping[str, Any]) -> tuple[int, int]:
    """Return how deep the values of properties are nested, 0 for scalars, and the size of the largest object or array.

    What is nested deeper than one level beyond the limit is not looked at.
    """
    depth, widest, level = 0, len(properties), list(properties.values())
    while nested := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        widest = max(widest, *map(len, nested))
        if depth > MAX_DEPTH:
            break
        level = [inner for each in nested for inner in (each.values() if isinstance(each, dict) else each)]
    return depth, widest
