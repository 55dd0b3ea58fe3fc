"""The draft of a body: an event's fields by path, and the ways to spell and write them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Any, Final

from tests.bench.fuzz.values import Token

if TYPE_CHECKING:
    from random import Random


class Shape(StrEnum):
    """How the keys of a body are spelled."""

    NESTED = "nested"
    DOTTED = "dotted"
    GROUPED = "grouped"
    SNAKE = "snake"
    UPPER = "upper"
    MIXED = "mixed"


SHAPES: Final = (Shape.NESTED,) * 4 + (Shape.DOTTED, Shape.GROUPED, Shape.SNAKE, Shape.SNAKE, Shape.UPPER, Shape.MIXED)
_SHORT_PARTS: Final = ("event.data.", "event.")
_SHORT_OTHERS: Final = ("message.template_id", "user.language", "user.tags")
_NEVER_SHORT: Final = ("event.kind", "event.id", "event.timestamp", "event.datetime")
_GROUPS: Final = {"event": "Event Data", "message": "Message Data", "user": "User Data"}


@dataclass(slots=True)
class Draft:
    """A body before it is encoded.

    ``facts`` has the fields by their dotted paths. ``extras`` are keys beside them: a part or nothing, key, value, and
    whether it comes before the fields.
    """

    facts: dict[str, Any]
    shape: Shape = Shape.NESTED
    extras: list[tuple[str, str, Any, bool]] = field(default_factory=list)
    mark: bool = False
    raw_controls: bool = False

    def add(self, key: str, value: object, *, part: str = "", first: bool = False) -> None:
        """Add a key beside the fields, at the top or within a part."""
        self.extras.append((part, key, value, first))


def default_draft(kind: str, shape: Shape) -> Draft:
    """Return the typical event."""
    return Draft(
        {
            "event.kind": kind,
            "event.id": "0b0e5c9a-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "event.timestamp": 1_767_225_600,
            "event.datetime": "2026-01-01T00:00:00.120Z",
            "event.app_id": "7d1c3c52-7a7d-4a30-8f0c-8b4f4b9f6a11",
            "event.subscription_device_type": "iOS",
            "event.subscription_id": "c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69",
            "event.onesignal_id": "9e2b64f0-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "event.external_id": "u-1001",
            "message.id": "f3c9a3b1-5f0e-4a58-9c0b-1f2d3c4b5a69",
            "message.name": "new-year",
            "message.title": {"en": "Happy new year", "de": "Gutes neues Jahr"},
            "message.contents": "Come in and see what is new for you",
            "message.template_id": "",
            "message.url": "https://shop.example/new-year",
            "user.language": "en",
            "user.tags": {"plan": "premium"},
        },
        shape,
    )


def write(draft: Draft, chance: Random) -> bytes:
    """Encode a draft as JSON."""
    body = _Object()
    for part, key, value, first in draft.extras:
        if first:
            _put(body, draft.shape, part, key, value)
    for path, value in draft.facts.items():
        _spell(body, draft.shape, path, value, chance)
    for part, key, value, first in draft.extras:
        if not first:
            _put(body, draft.shape, part, key, value)
    writer = _Writer(
        ascii_only=chance.randrange(3) == 0, raw_controls=draft.raw_controls, spaced=chance.randrange(4) == 0
    )
    written = writer.write(body).encode(errors="surrogatepass")
    return b"\xef\xbb\xbf" + written if draft.mark else written


class _Object(list[tuple[str, Any]]):
    """A JSON object that may have two equal keys."""

    def part(self, name: str) -> _Object:
        for key, value in self:
            if key == name and isinstance(value, _Object):
                return value
        made = _Object()
        self.append((name, made))
        return made


def _put(body: _Object, shape: Shape, part: str, key: str, value: object) -> None:
    if not part or shape in {Shape.NESTED, Shape.MIXED}:
        (body.part(part) if part else body).append((key, value))
    elif shape is Shape.DOTTED:
        body.append((f"{part}.{key}", value))
    elif shape is Shape.GROUPED:
        body.part(_GROUPS.get(part, "Other Data")).append((f"{part}.{key}", value))
    else:
        name = f"{part}_{key}"
        body.append((name.upper() if shape is Shape.UPPER else name, value))


def _spell(body: _Object, shape: Shape, path: str, value: object, chance: Random) -> None:
    if shape is Shape.MIXED:
        shape = chance.choice((Shape.NESTED, Shape.NESTED, Shape.DOTTED, Shape.GROUPED, Shape.SNAKE, Shape.UPPER))
    if shape is Shape.NESTED:
        *parts, name = path.split(".")
        for part in parts:
            body = body.part(part)
        body.append((name, value))
    elif shape is Shape.GROUPED:
        body.part(_GROUPS[path.partition(".")[0]]).append((path, value))
    elif shape is Shape.DOTTED:
        _spell_dotted(body, path, value, chance)
    else:
        name = column(path) if chance.randrange(5) else path.replace(".", "_")
        body.append((name.upper() if shape is Shape.UPPER else name, value))


def _spell_dotted(body: _Object, path: str, value: object, chance: Random) -> None:
    if isinstance(value, dict) and chance.randrange(4) == 0:
        for key, item in value.items():
            body.append((f"{path}.{key}", item))
    else:
        body.append((path, value))


def column(path: str) -> str:
    """Return the column of the warehouse export for a field."""
    if path in _NEVER_SHORT:
        return path.replace(".", "_")
    if path in _SHORT_OTHERS:
        return path.partition(".")[2]
    for part in _SHORT_PARTS:
        if path.startswith(part):
            return path.removeprefix(part)
    return path.replace(".", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    ascii_only: bool
    raw_controls: bool
    spaced: bool

    def write(self, value: object) -> str:
        if isinstance(value, Token):
            return str(value)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, _Object):
            return self._object(value)
        if isinstance(value, dict):
            return self._object(value.items())
        if isinstance(value, list):
            return "[" + ",".join(self.write(item) for item in value) + "]"
        return json.dumps(value)

    def _object(self, items: Any) -> str:
        comma, colon = (",\n ", ": ") if self.spaced else (",", ":")
        return "{" + comma.join(f"{self._text(key)}{colon}{self.write(item)}" for key, item in items) + "}"

    def _text(self, text: str) -> str:
        if self.raw_controls:
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return encode_basestring_ascii(text) if self.ascii_only else encode_basestring(text)
