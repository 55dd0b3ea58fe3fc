"""The expected outcome of one body.

A body is read by the reading rules, and written as a plain event that the previous version reads without any of the
faults. The outcome of the plain event in that version is the expected outcome of the body in the new one.
"""

from __future__ import annotations

import re
from itertools import islice, product
from typing import TYPE_CHECKING, Any, Final

import orjson

from tests.bench.fuzz.fields import Section, new_values
from tests.bench.fuzz.hints import hints_of
from tests.bench.fuzz.ids import BLANK_TEXTS
from tests.bench.fuzz.parsing import Document, Unparsable
from tests.bench.fuzz.reading import Reader
from tests.bench.fuzz.results import Decider, Result, known_of, result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.bench.fuzz.reading import Reading
    from tests.bench.fuzz.results import Case
    from tests.bench.versions import Version

_MOST_COMBINATIONS: Final = 256
_REFUSED: Final = frozenset({"not_json", "not_utf8", "too_deep"})
_NOT_AN_EVENT: Final = Result("Reject", "", "not_an_event")
_NOT_JSON: Final = Result("Reject", "", "not_json")
_NOT_UTF8: Final = Result("Reject", "", "not_utf8")
_CONTROLS: Final = bytes(max(byte, 32) for byte in range(256))
_NUL: Final = re.compile(rb"(\\(?:u(?!0000)|[^u]))|\\u0000")
_NEARLY_TOO_LARGE: Final = 32_000


class Before:
    """The previous version, as far as the check needs it."""

    def __init__(self, version: Version) -> None:
        """Find the functions that are needed."""
        self.decider = Decider(version)
        self.texts_by_language: Callable[[str], dict[str, str] | None] = version.find(
            "core.localized", "texts_by_language"
        )
        self.message_id = version.message_id
        self.clean_url: Callable[[str], str | None] = version.find("core.privacy", "clean_url")
        self.is_an_id: Callable[[str | None], bool] = version.find("core.identity", "names_somebody")
        self._decode_nested: Callable[[bytes], Any] = version.find("core.events", "_decode_nested")
        self._kind_of: Callable[[str], Any] = version.find("core.kinds", "kind_of")

    def is_known(self, kind: str) -> bool:
        """Return whether a spelling names a known kind."""
        return bool(self._kind_of(kind).known)

    def is_nested(self, body: bytes) -> bool:
        """Return whether only the nested parts of a body were read."""
        try:
            self._decode_nested(body)
        except (ValueError, RecursionError):
            return False
        return True


class Subject:
    """One body, its outcome in both versions, and the expected ones."""

    def __init__(self, before: Before, body: bytes, case: Case, old: Result, new: Result) -> None:
        """Parse the body."""
        self._before = before
        self._body = body
        self._case = case
        self._old = old
        self._new = new
        self._hints = hints_of(new)
        self._clean = _document(body, controls=False)
        self._repaired = _document(body, controls=True) if self._clean is None else None
        is_repaired = self._repaired is not None
        self._was_refused = is_repaired or old.reason in _REFUSED
        self._is_nested = before.is_nested(body.translate(_CONTROLS) if is_repaired else body)
        self._made: dict[bytes, Result] = {}

    def allows(self, on: frozenset[Section]) -> bool:
        """Return whether the new outcome is one that these sections allow."""
        return any(_agree(self._new, each) for each in self.wanted(on))

    def wanted(self, on: frozenset[Section]) -> Iterator[Result]:
        """Return the outcomes that the sections allow, likely ones first."""
        for reading in self._readings(on):
            if isinstance(reading, Result):
                yield reading
            else:
                yield from self._outcomes(reading, on)

    def _readings(self, on: frozenset[Section]) -> Iterator[Reading | Result]:
        """Return the ways to read the body; if it cannot be read, its previous outcome."""
        document = self._clean or (self._repaired if Section.CONTROL_CHARACTERS in on else None)
        if document is None or not self._can_be_read(document, on):
            yield self._old
            # A flat body with a second name need not be read field by field any more, which read every byte.
            if document is None or not new_values(document.tree, on, nested=self._is_nested):
                return
        yield from self._refusals(document, on)
        yield from self._read(document, on, nested=self._is_nested)
        # It is not defined whether a repaired body, or one whose kind has a second name, may mix the shapes.
        if self._is_nested and (self._repaired is not None or self._lacks_kind(document, on)):
            yield from self._read(document, on, nested=False)

    def _can_be_read(self, document: Document, on: frozenset[Section]) -> bool:
        if not self._was_refused:
            return True
        is_beyond_floats = document.has_endless_whole or document.has_infinity
        return not document.has_foreign_bytes and (not is_beyond_floats or Section.NUMBERS in on)

    def _refusals(self, document: Document, on: frozenset[Section]) -> Iterator[Result]:
        """Return the refusals that are allowed, though not required, for a body that can be read."""
        if self._was_refused and (document.has_endless_whole or document.has_infinity):
            yield self._old
        if document.has_broken_half and Section.CONTROL_CHARACTERS in on:
            yield _NOT_JSON
        news = new_values(document.tree, on, nested=self._is_nested)
        if document.has_foreign_bytes and any(map(document.is_foul, news)):
            yield _NOT_UTF8

    def _lacks_kind(self, document: Document, on: frozenset[Section]) -> bool:
        kind = document.tree["event"]["kind"].replace("\x00", "")
        return Section.SECOND_NAMES in on and (not kind.strip() or kind in BLANK_TEXTS)

    def _read(self, document: Document, on: frozenset[Section], *, nested: bool) -> Iterator[Reading | Result]:
        for early in (True, False):
            reading = Reader(document, self._body, on, self._before, early=early).read(nested=nested)
            yield _NOT_AN_EVENT if reading is None else reading
            if reading is None or not reading.has_nul or Section.SMALLER not in on:
                return

    def _outcomes(self, reading: Reading, on: frozenset[Section]) -> Iterator[Result]:
        names = list(reading.options)
        choices = [_ordered(reading.options[name], self._hints.get(name)) for name in names]
        for chosen in islice(product(*choices), _MOST_COMBINATIONS):
            fields = dict(zip(names, chosen, strict=True))
            for strip in (True, False) if reading.has_nul and Section.SMALLER in on else (False,):
                yield from self._outcome(reading, fields, on, strip=strip)

    def _outcome(
        self, reading: Reading, fields: Mapping[str, Any], on: frozenset[Section], *, strip: bool
    ) -> Iterator[Result]:
        plain = _written(fields, strip=strip)
        for result in self._decided(plain, reading, fields["message.id"]):
            if reading.is_unreadable and fields["event.external_id"] is None:
                yield _unreadable(result)
            elif Section.SMALLER not in on:
                yield result
            else:
                live = (fields["live kind"] or "").replace("\x00", "") or None
                yield _without_nul(result)._replace(live=live if result.outcome == "Deliver" else None)

    def _decided(self, plain: bytes, reading: Reading, message_id: str | None) -> Iterator[Result]:
        decider = self._before.decider
        known = known_of(message_id) if self._case.has_catalogue else None
        if known is not None:
            for repaired in reading.repair(known):
                state = decider.state_of({message_id or "": repaired})
                yield result_of(decider.decide(plain, self._case, state))
            return
        if plain not in self._made:
            self._made[plain] = result_of(decider.decide(plain, self._case))
        yield self._made[plain]


def _document(body: bytes, *, controls: bool) -> Document | None:
    try:
        return Document(body, controls=controls)
    except Unparsable:
        return None


def _ordered(options: list[Any], hint: Any) -> list[Any]:
    if len(options) == 1:
        return options
    unique = [each for index, each in enumerate(options) if each not in options[:index]]
    return sorted(unique, key=lambda each: each != hint)


def _written(fields: Mapping[str, Any], *, strip: bool) -> bytes:
    """Encode a plain nested event."""
    event: dict[str, Any] = {"event": {"data": {}}, "message": {}, "user": {}}
    for path, value in fields.items():
        if value is None or path == "live kind":
            continue
        clean = _stripped(value) if strip and path != "kind" else value
        if path in _OF_THE_EVENT:
            event["event"][_OF_THE_EVENT[path]] = clean
            continue
        *parts, name = path.split(".")
        target = event
        for part in parts:
            target = target[part]
        target[name] = clean
    return orjson.dumps(event)


_OF_THE_EVENT: Final = {
    "kind": "kind",
    "time": "datetime",
    "raw timestamp": "timestamp",
    "raw datetime": "datetime",
}


def _stripped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    return {key: _stripped(each) for key, each in value.items()} if isinstance(value, dict) else value


def _without_nul(result: Result) -> Result:
    return result._replace(
        kind=result.kind.replace("\x00", ""),
        user_key=result.user_key.replace(b"\x00", b""),
        record=_NUL.sub(rb"\1", result.record) if b"\\u0000" in result.record else result.record,
    )


def _unreadable(result: Result) -> Result:
    """Reject where `no_user` was decided: after the kind, the rules and the sample, before everything else."""
    if result.reason in {"rule", "sampled_out", "unknown_kind", "not_an_event"}:
        return result
    return Result("Reject", result.kind, "unreadable_external_id")


def _agree(found: Result, wanted: Result) -> bool:
    if found == wanted:
        return True
    # The new property can take the room of a text.
    is_cut = found.live is not None and len(found.record) + len(found.live) > _NEARLY_TOO_LARGE
    return is_cut and found._replace(record=b"") == wanted._replace(record=b"")
