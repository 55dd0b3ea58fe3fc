"""Read a body by the reading rules, optionally without some sections of them.

Without a section its faults are read as in the previous version. With all sections the result is the expected one. If
the rules leave something open, a field has several values, the most likely first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Protocol

from tests.bench.fuzz.fields import DETAILS, Found, Section, fields_of_any, fields_of_nested
from tests.bench.fuzz.kinds import known_kind
from tests.bench.fuzz.scalars import Scalars, is_unreadable
from tests.bench.fuzz.tags import tag_options
from tests.bench.fuzz.times import chosen_times
from tests.bench.fuzz.titles import Titles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.bench.fuzz.parsing import Document
    from tests.bench.fuzz.scalars import Options

_APPS: Final = frozenset({"ios", "android", "huawei", "amazon"})
_LIKE_APPS: Final = re.compile("ios|android|huawei|amazon|fire", re.IGNORECASE)
_PERSONAL: Final = re.compile(r"@|%40|[0-9][0-9 ().\-]{6,}|[A-Za-z0-9_:\-]{32,}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EXTERNAL: Final = ("event.external_id", "user.external_id")
_SECOND_EXTERNAL: Final = ("external_user_id", "event.external_user_id", "user.external_user_id")
_IDS: Final = ("message.id", "message.template_id", "event.app_id", "event.onesignal_id", "user.onesignal_id")
_TEXTS: Final = (*(f"event.data.{name}" for name in DETAILS), "message.name", "event.subscription_device_type")
_PAST_TIMES: Final = 2**63


class Before(Protocol):
    """How the previous version reads, for sections that are left out."""

    def is_known(self, kind: str) -> bool:
        """Return whether a spelling names a known kind."""

    def texts_by_language(self, text: str) -> dict[str, str] | None:
        """Read a localized text that is one text."""

    def is_an_id(self, text: str | None) -> bool:
        """Return whether an id names a user."""

    def clean_url(self, url: str) -> str | None:
        """Return the part of a URL that may be sent."""

    def message_id(self, event_id: str | None, value: bytes) -> str:
        """Return the messageId for an event id."""


@dataclass(slots=True)
class Reading:
    """An event as it was read: the possible values of each path.

    ``is_unreadable`` means that no external id is good and that one has a type that cannot be read. ``repair`` is what
    the catalogue knows of the message, without blank texts and in the user's language.
    """

    repair: Callable[[Mapping[str, Any]], Iterator[Mapping[str, Any]]]
    options: dict[str, Options] = field(default_factory=dict)
    is_unreadable: bool = False
    has_nul: bool = False


class Reader:
    """Reads one parsed body with some of the sections."""

    def __init__(
        self, document: Document, body: bytes, on: frozenset[Section], before: Before, *, early: bool = True
    ) -> None:
        """Store what to read. With `early`, U+0000 is removed before anything is compared."""
        self._document = document
        self._body = body
        self._on = on
        self._before = before
        self._scalars = Scalars(document, on, early=early)
        self._reading = Reading(self._repaired)

    def read(self, *, nested: bool) -> Reading | None:
        """Read the body as nested only, or as any shape; return None when it is no event."""
        tree = self._document.tree
        if not isinstance(tree, dict):
            return None
        found = fields_of_nested(tree, self._on) if nested else fields_of_any(tree, self._on)
        options = self._reading.options
        options["kind"] = self._kinds(found)
        if options["kind"] == [""]:
            return None
        for path in _IDS:
            options[path] = self._scalars.id_options(_values(found, path))
        options["event.subscription_id"] = self._subscriptions(found)
        options["event.id"] = self._message_ids(found)
        options["event.external_id"] = self._external_ids(found)
        self._read_times(found, nested=nested)
        self._read_texts(found)
        options["message.url"] = self._urls(found)
        options["user.tags"] = tag_options(found.get("user.tags", []), self._document, self._on)
        in_tags = any("\x00" in tag for tags in options["user.tags"] for tag in tags.values() if isinstance(tag, str))
        self._reading.has_nul = self._scalars.has_nul or in_tags
        return self._reading

    def _first_text(self, found: Found, path: str) -> str | None:
        return self._scalars.first_text(_values(found, path))

    def _kinds(self, found: Found) -> Options:
        """Return the kinds that a body may have, blank for none.

        U+0000 is removed from what is sent. Whether it counts when kinds are compared is not defined.
        """
        options = [
            kind
            for removes_nul in ((False, True) if Section.SMALLER in self._on else (False,))
            for kind in self._kinds_of(found, removes_nul=removes_nul)
        ]
        return list(dict.fromkeys(options))

    def _kinds_of(self, found: Found, *, removes_nul: bool) -> Options:
        scalars = Scalars(self._document, self._on, early=removes_nul)
        kind = scalars.first_text(_values(found, "event.kind"))
        if kind is not None:
            return [self._known(kind) or kind]
        seconds = [(key, scalars.text(text)) for key, text in found.get("second kind", []) if isinstance(text, str)]
        named = [each for _, text in seconds if text is not None and (each := self._named(text))]
        are_columns = any(key and key.islower() for key, _ in seconds)  # not defined for upper case
        return named if named and are_columns else [*named, ""]

    def _known(self, kind: str) -> str | None:
        return known_kind(kind) if Section.KINDS in self._on else None

    def _named(self, text: str) -> str | None:
        if Section.KINDS in self._on:
            return known_kind(text)
        return text if self._before.is_known(text) else None

    def _subscriptions(self, found: Found) -> Options:
        ids = self._scalars.id_options(_values(found, "event.subscription_id"))
        if ids[-1] is not None:
            return ids
        ids = ids[:-1]
        for value in _values(found, "user.subscription.id") + _values(found, "flat user.subscription.id"):
            *texts, last = self._scalars.id_options([value])
            ids += texts if last is None else [last]
            # An address, a number or a token may be there by mistake and need not be sent (docs/guarantees.md, 8).
            if last is not None and (_UUID.fullmatch(last) or not _PERSONAL.search(last)):
                break
        else:
            ids.append(None)
        own = _values(found, "user.subscription.id")
        is_flat = all(self._scalars.id_options([value])[-1] is None for value in own)
        return list(dict.fromkeys([*ids, None] if is_flat else ids))

    def _message_ids(self, found: Found) -> Options:
        ids: Options = []
        for text in self._scalars.id_options(_values(found, "event.id")):
            if text is not None and Section.SMALLER in self._on:
                ids += [self._before.message_id(each.strip(), self._body) for each in (text, text.replace("\x00", ""))]
            else:
                ids.append(self._before.message_id(text, self._body))
        return list(dict.fromkeys(ids))

    def _external_ids(self, found: Found) -> Options:
        values = [_values(found, path) for path in _EXTERNAL]
        seconds = [value for path in _SECOND_EXTERNAL for value in _values(found, path)]
        if Section.IDS in self._on:
            ids = self._scalars.id_options([*values[0], *values[1]])
        else:  # the spelling is chosen first, and then the part
            own, other = (self._scalars.id_options(each)[0] for each in values)
            ids = [own] if self._before.is_an_id(own) else [other if self._before.is_an_id(other) else None]
        if None in ids:
            good = [self._scalars.id_options([value]) for value in seconds]
            is_sure = any(None not in each for each in good)
            flat = [value for path in _SECOND_EXTERNAL for value in _values(found, f"flat {path}")]
            good += [self._scalars.id_options([value]) for value in flat]
            seconds += flat
            ids = [text for each in (ids, *good) for text in each if text is not None] + ([] if is_sure else [None])
        are_any = any(is_unreadable(value) for value in [*values[0], *values[1], *seconds])
        self._reading.is_unreadable = are_any and None in ids and Section.NUMBERS in self._on
        return list(dict.fromkeys(ids))

    def _read_times(self, found: Found, *, nested: bool) -> None:
        timestamp = self._scalars.time(_values(found, "event.timestamp"))
        written = self._first_text(found, "event.datetime")
        options = self._reading.options
        if Section.TIMES not in self._on:
            is_writable = not isinstance(timestamp, int) or 0 < timestamp < _PAST_TIMES
            options["raw timestamp"], options["raw datetime"] = [timestamp if is_writable else None], [written]
            return
        seconds, others = [timestamp], [written]
        if timestamp is None:
            seconds = [self._scalars.time([value]) for value in _values(found, "timestamp")] or [None]
        if written is None:
            others = [self._scalars.first_text([value]) for value in _values(found, "datetime")] or [None]
        options["time"] = [time for pair in product(seconds, others) for time in chosen_times(*pair)]
        if not nested and isinstance(self._document.tree.get("event"), dict):  # not defined for such a body
            options["time"] += chosen_times(timestamp, written)

    def _read_texts(self, found: Found) -> None:
        options = self._reading.options
        for path in _TEXTS:
            options[path] = [self._first_text(found, path)]
        language = self._first_text(found, "user.language")
        options["user.language"] = [language]
        titles = self._titles(language)
        for path in ("message.title", "message.contents"):
            options[path] = titles.options(found.get(path, []))
        options["live kind"] = [self._first_text(found, "message.live_activity_event_kind")]
        if (bare := self._first_text(found, "live_activity_event_kind")) is not None:
            options["live kind"].append(bare)

    def _titles(self, language: str | None) -> Titles:
        return Titles(self._scalars, self._on, language, self._before.texts_by_language)

    def _repaired(self, known: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        titles = self._titles(self._reading.options["user.language"][0])
        texts = {name: self._scalars.first_text([known.get(name)]) for name in ("name", "url")}
        for title, contents, template_id in product(
            *(titles.options([(None, known.get(name))]) for name in ("title", "contents")),
            self._scalars.id_options([known.get("template_id")]),
        ):
            yield {**texts, "title": title, "contents": contents, "template_id": template_id}

    def _urls(self, found: Found) -> Options:
        url, app, web = (self._first_text(found, f"message.{name}") for name in ("url", "app_url", "web_url"))
        device = self._reading.options["event.subscription_device_type"][0] or ""
        first, other = (app, web) if device.lower() in _APPS else (web, app)
        options = [url or first or other]
        is_like_an_app = _LIKE_APPS.match(device) and device.lower() not in _APPS  # such as `FireOS`
        if is_like_an_app or (first and self._before.clean_url(first) is None):  # nothing is left of it, such as `tel:`
            options.append(url or other or first)
        return options


def _values(found: Found, path: str) -> list[Any]:
    return [value for _, value in found.get(path, [])]
