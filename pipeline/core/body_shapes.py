"""Bring any known body shape into the canonical nested form, one cleaned field at a time.

The shapes (domain.md 1.4): nested, dotted-flat, dotted-flat in groups, snake case with the warehouse's columns.
What a field of the wrong type becomes:

- a number where a text is due is taken as its text; a boolean, list or object there counts as absent;
- a text, list or object where an object or a time is due counts as absent;
- of two spellings of one field the first that is not blank counts, of two equal keys the last.

Only a body without an event kind is refused. orjson reads here: its depth limit (1,024) does not move with the
caller's stack as msgspec's does, so the same bytes are decided alike everywhere. That costs half a microsecond.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from pipeline.core.outcomes import RejectReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Cleaner: TypeAlias = Callable[[object], object]

Part: TypeAlias = dict[str, Any]
"""The fields of one part of the canonical form, by name."""

EVENT, DATA, MESSAGE, USER = "event", "event.data", "message", "user"

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LARGEST_EXACT_FLOAT: Final = 2.0**53


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_EXACT_FLOAT:
        return str(int(value))
    return None


def _localized(value: object) -> str | dict[str, Any] | None:
    return _object(value) if isinstance(value, dict) else _text(value)


def _time(value: object) -> int | float | str | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else _text(value)


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) and value else None


_FIELDS: Final[Mapping[str, Mapping[str, Cleaner]]] = {
    EVENT: {
        "kind": _text,
        "id": _text,
        "timestamp": _time,
        "datetime": _text,
        "app_id": _text,
        "subscription_device_type": _text,
        "subscription_id": _text,
        "onesignal_id": _text,
        "external_id": _text,
    },
    DATA: {
        "page_name": _text,
        "page_id": _text,
        "target_name": _text,
        "target_id": _text,
        "failure_reason": _text,
        "live_activity_id": _text,
        "live_activity_type": _text,
    },
    MESSAGE: {
        "id": _text,
        "name": _text,
        "title": _localized,
        "contents": _localized,
        "template_id": _text,
        "url": _text,
    },
    USER: {"onesignal_id": _text, "external_id": _text, "language": _text, "tags": _object},
}

# Flat names that are not a field's path with underscores for dots.
_SHORT_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    **{name: (EVENT, name) for name in _FIELDS[EVENT] if name not in {"kind", "id", "timestamp", "datetime"}},
    **{name: (DATA, name) for name in _FIELDS[DATA]},
    "template_id": (MESSAGE, "template_id"),
    "tags": (USER, "tags"),
    "language": (USER, "language"),
}


def _spellings() -> dict[str, tuple[str, str, Cleaner]]:
    places = dict(_SHORT_NAMES)
    for part, fields in _FIELDS.items():
        for name in fields:
            path = f"{part}.{name}"
            places[path] = places[path.replace(".", "_")] = (part, name)
    return {spelling: (part, name, _FIELDS[part][name]) for spelling, (part, name) in places.items()}


_SPELLINGS: Final = _spellings()
_GROUP_ENDING: Final = " data"  # "Event Data", "Message Data"
_PARTS: Final = frozenset({EVENT, DATA, MESSAGE, USER})
# Objects that the dotted form may spread over keys of their own: "message.title.en", "user.tags.plan".
_SPREAD: Final = ("message.title.", "message.contents.", "user.tags.")

# Every escape of a JSON text, left to right: a surrogate pair, a surrogate alone, or any other.
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD]([89a-fA-F])..|.)", re.DOTALL)


def canonical_form(value: bytes) -> dict[str, Part] | RejectReason:
    """Read a body of any known shape into its parts: ``event``, ``event.data``, ``message`` and ``user``.

    A part has only the fields that are present and not blank.
    """
    body = _parse(value)
    if isinstance(body, RejectReason):
        return body
    if not isinstance(body, dict):
        return RejectReason.NOT_AN_EVENT
    parts: dict[str, Part] = {EVENT: {}, DATA: {}, MESSAGE: {}, USER: {}}
    _read("", body, parts)
    for key, item in body.items():
        if isinstance(item, dict) and key.lower().endswith(_GROUP_ENDING):
            _read("", item, parts)
    return parts if "kind" in parts[EVENT] else RejectReason.NOT_AN_EVENT


def _read(prefix: str, body: dict[str, Any], parts: dict[str, Part]) -> None:
    for key, item in body.items():
        spelling = _SPELLINGS.get(prefix + key if prefix else key)
        if spelling is None:
            _read_other(prefix + key, item, parts)
            continue
        part, name, clean = spelling
        fields = parts[part]
        if name not in fields:
            cleaned = clean(item)
            if cleaned is not None:
                fields[name] = cleaned


def _read_other(path: str, item: object, parts: dict[str, Part]) -> None:
    """Read a part, or one entry of an object that is spread over keys of their own."""
    if isinstance(item, dict) and path in _PARTS:
        _read(f"{path}.", item, parts)
    else:
        start = next((start for start in _SPREAD if path.startswith(start)), None)
        if start is not None:
            part, name, _ = _SPELLINGS[start[:-1]]
            entries = parts[part].setdefault(name, {})
            if isinstance(entries, dict):
                entries.setdefault(path[len(start) :], item)


def _parse(value: bytes) -> Any:
    text = value.removeprefix(_BYTE_ORDER_MARK)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        reason = _reason(text, error)
    if reason is not RejectReason.NOT_JSON or b"\\u" not in text:
        return reason
    try:
        return orjson.loads(_ESCAPE.sub(_without_lone_surrogate, text))
    except orjson.JSONDecodeError as error:
        return _reason(text, error)


def _without_lone_surrogate(escape: re.Match[bytes]) -> bytes:
    """Put the replacement character for half a character: OneSignal clips contents at 50, which can cut an emoji."""
    return b"\\ufffd" if escape.group(1) else escape.group()


def _reason(text: bytes, error: orjson.JSONDecodeError) -> RejectReason:
    if "depth" in str(error):
        return RejectReason.TOO_DEEP
    try:
        text.decode()
    except UnicodeDecodeError:
        return RejectReason.NOT_UTF8
    return RejectReason.NOT_JSON
