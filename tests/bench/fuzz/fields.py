"""Find the fields of an event in a parsed body of any shape: every value of each, in the order of the body."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Found: TypeAlias = dict[str, list[tuple[str | None, Any]]]
"""The values of each field. Each value has the key below the field to which it was spread, else None."""


class Section(IntEnum):
    """The groups of reading rules that can change an outcome."""

    IDS = 1
    NUMBERS = 2
    CONTROL_CHARACTERS = 3
    TIMES = 4
    KINDS = 5
    LANGUAGE = 6
    SECOND_NAMES = 7
    ONE_TEXT = 8
    SMALLER = 9


ALL: Final = frozenset(Section)
NONE: Final[frozenset[Section]] = frozenset()

EVENT_FIELDS: Final = (
    *("kind", "id", "timestamp", "datetime", "app_id", "subscription_device_type", "subscription_id", "onesignal_id"),
    "external_id",
)
DETAILS: Final = (
    *("page_name", "page_id", "target_name", "target_id", "failure_reason", "live_activity_id", "live_activity_type"),
)
MESSAGE_FIELDS: Final = ("id", "name", "title", "contents", "template_id", "url")
USER_FIELDS: Final = ("onesignal_id", "external_id", "language", "tags")
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "event": EVENT_FIELDS,
    "event.data": DETAILS,
    "message": MESSAGE_FIELDS,
    "user": USER_FIELDS,
}
_SHORT: Final = frozenset(
    {
        *(f"event.{name}" for name in EVENT_FIELDS if name not in {"kind", "id", "timestamp", "datetime"}),
        *(f"event.data.{name}" for name in DETAILS),
        *("message.template_id", "user.language", "user.tags"),
    }
)
"""The fields whose column has their bare name."""
_NEW_FIELDS: Final[Mapping[str, Section]] = {
    "event.external_user_id": Section.SECOND_NAMES,
    "user.external_user_id": Section.SECOND_NAMES,
    "user.subscription.id": Section.SECOND_NAMES,
    "message.app_url": Section.SMALLER,
    "message.web_url": Section.SMALLER,
    "message.live_activity_event_kind": Section.SMALLER,
}
_NEW_NAMES: Final[Mapping[str, tuple[str, Section]]] = {
    "external_user_id": ("external_user_id", Section.SECOND_NAMES),
    "timestamp": ("timestamp", Section.TIMES),
    "datetime": ("datetime", Section.TIMES),
    "live_activity_event_kind": ("live_activity_event_kind", Section.SMALLER),
}
"""Other names. It is not defined whether the last one is a name of its field."""
_SECOND_IDS: Final = ("event.external_user_id", "user.external_user_id", "user.subscription.id")
_SECOND_KINDS: Final = ("event", "kind", "event_type", "EVENT", "KIND", "EVENT_TYPE")
_SPREAD: Final = ("message.title", "message.contents", "user.tags")
_GROUP: Final = " data"


def _known() -> dict[str, tuple[str, Section | None]]:
    paths: dict[str, tuple[str, Section | None]] = {
        f"{part}.{name}": (f"{part}.{name}", None) for part, names in _FIELDS.items() for name in names
    }
    known = {**{path.rpartition(".")[2]: found for path, found in paths.items() if path in _SHORT}, **_NEW_NAMES}
    paths |= {path: (path, section) for path, section in _NEW_FIELDS.items()}
    known |= {path.replace(".", "_"): found for path, found in paths.items()}
    upper = {key.upper(): (path, Section.SECOND_NAMES) for key, (path, _) in known.items()}
    return {**known, **paths, **upper}


_KNOWN: Final = _known()
_UPPER_NEEDS: Final = {
    key.upper(): section for key, (_, section) in _KNOWN.items() if section is not None and key.islower()
}
_PARTS: Final = ("event", "event.data", "message", "user")


def fields_of_nested(tree: Mapping[str, Any], on: frozenset[Section]) -> Found:
    """Find the fields of a body whose fields are all below ``event``, ``message`` and ``user``."""
    found: Found = {}
    for part, names in _FIELDS.items():
        fields = _below(tree, part)
        for name in names:
            if name in fields:
                found[f"{part}.{name}"] = [(None, fields[name])]
    for path, item in _new_fields(tree, on):
        found.setdefault(path, []).append((None, item))
    return found


def _new_fields(tree: Mapping[str, Any], on: frozenset[Section]) -> Iterator[tuple[str, Any]]:
    for path, section in _NEW_FIELDS.items():
        part, _, name = path.rpartition(".")
        fields = _below(tree, part)
        if section in on and name in fields:
            yield path, fields[name]
    if Section.SECOND_NAMES in on:
        if "external_user_id" in tree:
            yield "external_user_id", tree["external_user_id"]
        yield from _flat_second_ids(tree)


def _flat_second_ids(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield second names in a nested body that are spelled as in a flat one."""
    for part in ("", "event", "user"):
        for key, item in (_below(tree, part) if part else tree).items():
            path, _ = _KNOWN.get(f"{part}.{key}" if part else key, ("", None))
            if path in _SECOND_IDS and (not part or key != "external_user_id"):
                yield f"flat {path}", item


def new_values(tree: Any, on: frozenset[Section], *, nested: bool) -> list[Any]:
    """Return the values in a body of the fields that the sections add."""
    if not isinstance(tree, dict):
        return []
    found = fields_of_nested(tree, on) if nested else fields_of_any(tree, on)
    new = [path for path in found if path in _NEW_FIELDS or path in _NEW_NAMES or path.startswith("flat ")]
    return [value for path in new for _, value in found[path]]


def _below(tree: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    for name in part.split("."):
        inner = tree.get(name)
        if not isinstance(inner, dict):
            return {}
        tree = inner
    return tree


def fields_of_any(tree: Mapping[str, Any], on: frozenset[Section]) -> Found:
    """Find the fields of a body of any shape, including mixed ones."""
    found: Found = {}
    _collect("", tree, on, found)
    for key, item in tree.items():
        if isinstance(item, dict) and key.lower().endswith(_GROUP):
            _collect("", item, on, found)
    return found


def _collect(prefix: str, fields: Mapping[str, Any], on: frozenset[Section], found: Found) -> None:
    for key, item in fields.items():
        path, section = _KNOWN.get(prefix + key, ("", None))
        needed = {section, _UPPER_NEEDS.get(prefix + key)} - {None}
        if path and needed <= on:
            found.setdefault(path, []).append((None, item))
        else:
            _collect_other(prefix + key, item, on, found)
        if not prefix and key in _SECOND_KINDS and Section.SECOND_NAMES in on:
            found.setdefault("second kind", []).append((key, item))


def _collect_other(path: str, item: object, on: frozenset[Section], found: Found) -> None:
    is_part = path in _PARTS or (path == "user.subscription" and Section.SECOND_NAMES in on)
    if isinstance(item, dict) and is_part:
        _collect(f"{path}.", item, on, found)
        return
    for whole in _SPREAD:
        if path.startswith(f"{whole}."):
            found.setdefault(whole, []).append((path.removeprefix(f"{whole}."), item))
