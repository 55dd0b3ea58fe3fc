"""Convert any known body shape into the canonical nested form, one cleaned field at a time.

The shapes (schemas/SOURCES.md, "OneSignal body shapes"): nested, dotted-flat, dotted-flat in groups, snake case with
the warehouse's columns, also in upper case. Of several spellings of a field the first that is not blank counts, of
duplicate keys the last. Placeholders count as blank (`pipeline.core.ids`, `pipeline.core.texts`). Other names of a
field count when all of its spellings are blank. `pipeline.core.field_values` converts values of the wrong type.

Only a body without an event kind is refused. orjson is used here because its depth limit (1,024) does not depend on the
caller's stack, as msgspec's does, so the same bytes have the same outcome everywhere. That costs half a microsecond.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pipeline.core import field_values
from pipeline.core.cleaning import ID_FIELDS, SUBSCRIPTION_ID, usable_id
from pipeline.core.flaws import Flaws
from pipeline.core.ids import EMPTY_IDS, EmptyReason, IdField, IgnoredId
from pipeline.core.json_repair import parse_exactly, parse_json, with_finite_numbers
from pipeline.core.kinds import kind_of
from pipeline.core.outcomes import RejectReason
from pipeline.core.texts import without_nul

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Part: TypeAlias = dict[str, Any]
"""The fields of one part of the canonical form, by name."""

_Read: TypeAlias = tuple[dict[str, Part], Flaws | None] | RejectReason

EVENT, DATA, MESSAGE, USER = "event", "event.data", "message", "user"
_SUBSCRIPTION: Final = "user.subscription"
_PARTS: Final = frozenset({EVENT, DATA, MESSAGE, USER, _SUBSCRIPTION})

_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    **{
        f"{part}.{name}": field_values.text
        for part, names in {
            EVENT: "kind id datetime app_id subscription_device_type subscription_id onesignal_id",
            DATA: "page_name page_id target_name target_id failure_reason live_activity_id live_activity_type",
            MESSAGE: "id name template_id url app_url web_url live_activity_event_kind",
            USER: "onesignal_id language",
        }.items()
        for name in names.split()
    },
    "event.timestamp": field_values.time,
    "message.title": field_values.localized,
    "message.contents": field_values.localized,
    "user.tags": field_values.tags,
}
"""How each field is read, except external ids and the subscription."""

_EXTERNAL_IDS: Final = (
    *("event.external_id", "user.external_id"),
    *("event.external_user_id", "external_user_id", "user.external_user_id"),
)
"""The paths of external ids, in order of preference."""

_SHORT_NAMES: Final[Mapping[str, str]] = {
    **{
        path.rpartition(".")[2]: path
        for path in ("event.external_id", *_READERS)
        if path.startswith(("event.", "event.data."))
        and path not in {"event.kind", "event.id", "event.timestamp", "event.datetime"}
    },
    "template_id": "message.template_id",
    "live_activity_event_kind": "message.live_activity_event_kind",
    "tags": "user.tags",
    "language": "user.language",
}
"""Flat names that are not a field's path with underscores for dots."""

_SECOND_KINDS: Final = ("event", "kind", "event_type")
_SECOND_TIMES: Final[Mapping[str, str]] = {"timestamp": "event.timestamp", "datetime": "event.datetime"}
"""Names that count only when a field has no other. The times are read in flat bodies only."""

_GROUP_ENDING: Final = " data"  # "Event Data", "Message Data"
# Objects whose members may be separate keys in the dotted form: "message.title.en", "user.tags.plan".
_SPREAD: Final = ("message.title.", "message.contents.", "user.tags.")


def _spellings() -> dict[str, str]:
    paths = [*_READERS, *_EXTERNAL_IDS, SUBSCRIPTION_ID]
    lower = {**_SHORT_NAMES, **{path: path for path in paths}, **{path.replace(".", "_"): path for path in paths}}
    upper = {spelling.upper(): path for spelling, path in lower.items() if "." not in spelling}
    return {**lower, **upper}


_SPELLINGS: Final = _spellings()


def canonical_form(value: bytes) -> _Read:
    """Return the parts and the flaws of a body of any known shape; the reason when it cannot be used.

    The parts are ``event``, ``event.data``, ``message`` and ``user``. Each has only the fields that are not blank.
    """
    body = parse_json(value)
    if body is RejectReason.NOT_JSON and (finite := with_finite_numbers(value)) != value:
        return _if_id_is_unreadable(canonical_form(finite))
    try:
        return _read_body(body, is_exact=False)
    except field_values.LongIntegerError:
        return _with_exact_integers(_read_body(body, is_exact=True), _read_body(parse_exactly(value), is_exact=True))


def _if_id_is_unreadable(found: _Read) -> _Read:
    """Return what was read if an external id is a number that no parser accepts; refuse the body otherwise."""
    if isinstance(found, RejectReason) or found[1] is None or not found[1].unreadable:
        return RejectReason.NOT_JSON
    return found


def _with_exact_integers(inexact: _Read, exact: _Read) -> _Read:
    """Return the exact reading with the texts by language of the other one, in which numbers are not texts."""
    if isinstance(inexact, RejectReason) or isinstance(exact, RejectReason):
        return exact
    content = exact[0][MESSAGE]
    for name, texts in inexact[0][MESSAGE].items():
        if isinstance(texts, dict) and isinstance(content[name], dict):
            content[name] = texts
    return exact


def _read_body(body: Any, *, is_exact: bool) -> _Read:
    if isinstance(body, RejectReason):
        return body
    if not isinstance(body, dict):
        return RejectReason.NOT_AN_EVENT
    reading = _Reading(is_exact=is_exact)
    bodies = [body, *(item for key, item in body.items() if isinstance(item, dict) and _is_group(key))]
    for each in bodies:
        reading.read("", each)
    reading.read_second_names(bodies)
    return (reading.parts, reading.flaws()) if "kind" in reading.parts[EVENT] else RejectReason.NOT_AN_EVENT


def _is_group(key: str) -> bool:
    return key.lower().endswith(_GROUP_ENDING)


class _Reading:
    """The state while one body is read. ``is_exact``: integers beyond 64 bits are texts already."""

    def __init__(self, *, is_exact: bool) -> None:
        self.parts: dict[str, Part] = {EVENT: {}, DATA: {}, MESSAGE: {}, USER: {}}
        self._is_exact = is_exact
        self._ignored: list[IgnoredId] = []
        self._unreadable: list[IgnoredId] = []
        self._external_ids: dict[str, list[str]] = {path: [] for path in _EXTERNAL_IDS}
        self._subscription_ids: list[str] = []

    def read(self, prefix: str, body: dict[str, Any]) -> None:
        """Read the fields below a prefix."""
        for key, item in body.items():
            path = _SPELLINGS.get(prefix + key if prefix else key)
            if path is None:
                self._read_other(prefix + key, item)
            else:
                self._read_field(path, item)

    def _read_field(self, path: str, item: object) -> None:
        if not self._is_exact and field_values.may_be_long_integer(item):
            raise field_values.LongIntegerError
        if path in self._external_ids:
            self._read_external_id(path, item)
        elif path == SUBSCRIPTION_ID:
            self._subscription_ids += filter(None, [field_values.plain_text(item)])
        else:
            self._read_usual(path, item)

    def _read_usual(self, path: str, item: object) -> None:
        part, _, name = path.rpartition(".")
        fields = self.parts[part]
        if path in ID_FIELDS:
            found: object = usable_id(path, field_values.plain_text(item), self._ignored)
        else:
            found = None if name in fields else _READERS[path](item)
        if found is not None:
            fields.setdefault(name, found)

    def _read_external_id(self, path: str, item: object) -> None:
        text = field_values.plain_text(item)
        if text is not None:
            self._external_ids[path].append(text)
        elif field_values.is_unreadable(item):
            unreadable = IgnoredId(path, IdField.EXTERNAL_ID, field_values.named(item), EmptyReason.UNREADABLE)
            self._unreadable.append(unreadable)

    def _read_other(self, path: str, item: object) -> None:
        """Read a part, or one member of an object whose members are separate keys."""
        if isinstance(item, dict) and path in _PARTS:
            self.read(f"{path}.", item)
        else:
            start = next((start for start in _SPREAD if path.startswith(start)), None)
            if start is not None:
                self._read_spread(start, path[len(start) :], item)

    def _read_spread(self, start: str, key: str, item: object) -> None:
        if not self._is_exact and field_values.may_be_long_integer(item):
            raise field_values.LongIntegerError
        part, _, name = start[:-1].rpartition(".")
        members = self.parts[part].setdefault(name, {})
        if isinstance(members, dict):
            members.setdefault(key, without_nul(item) if isinstance(item, str) else item)

    def read_second_names(self, bodies: list[dict[str, Any]]) -> None:
        """Read the names that count only when a field has no other."""
        facts = self.parts[EVENT]
        if "kind" not in facts:
            facts.update(_first_known_kind(bodies))
        if not isinstance(bodies[0].get(EVENT), dict):
            for path, item in _second_times(bodies):
                self._read_field(path, item)
        if "subscription_id" not in facts:
            usable = (usable_id(SUBSCRIPTION_ID, text, self._ignored) for text in self._subscription_ids)
            facts.update(("subscription_id", found) for found in islice(filter(None, usable), 1))
        self._choose_external_ids()

    def _choose_external_ids(self) -> None:
        for path, texts in self._external_ids.items():
            part, _, name = path.rpartition(".")
            if texts and part:
                self.parts[part][name] = next((text for text in texts if EMPTY_IDS.reason(text) is None), texts[0])

    def flaws(self) -> Flaws | None:
        """Return the flaws of the ids; None when there are none."""
        external_ids = tuple((path, text) for path, texts in self._external_ids.items() for text in texts)
        plain = len(external_ids) == 0 or [path for path, _ in external_ids] == ["event.external_id"]
        if plain and not self._ignored and not self._unreadable:
            return None
        return Flaws(tuple(self._ignored), tuple(self._unreadable), external_ids)


def _first_known_kind(bodies: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the first value under another name of the kind that is a known kind, if any."""
    texts = (without_nul(item) for _, item in _items(bodies, _SECOND_KINDS) if isinstance(item, str))
    yield from (("kind", text) for text in islice((text for text in texts if kind_of(text).known), 1))


def _second_times(bodies: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name, item in _items(bodies, _SECOND_TIMES):
        yield _SECOND_TIMES[name], item


def _items(bodies: list[dict[str, Any]], names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Yield the values of bodies under some names, also in upper case."""
    for body in bodies:
        for name in names:
            for spelling in (name, name.upper()):
                if spelling in body:
                    yield name, body[spelling]
