"""Read a file with the user's own event names: a mapping from kinds to names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from pipeline.core.kinds import SPELLINGS
from pipeline.core.mistakes import Located, did_you_mean, quoted, refuse
from pipeline.core.yaml_document import Document, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.core.mistakes import Mistake

MAX_NAME_CHARACTERS: Final = 200
_SIGN: Final = "$"
"""How the names begin that a destination may reserve."""


def parse_names(text: str, *, filename: str, reserved: frozenset[str] | None = None) -> Mapping[str, str]:
    """Return the names in a names file, such as `message.push.sent: My push`. Kinds may have any known spelling.

    ``reserved`` are the only names beginning with `$` that may be used; None if the destination reserves none.

    Raises:
        RulesError: the file has mistakes. The first are listed, the others counted.
    """
    document = read_document(text, filename=filename)
    refuse([*document.mistakes, *_mistakes(document, reserved)])
    return {SPELLINGS[kind].name: document.texts[kind,] for kind in document.value}


def _mistakes(document: Document, reserved: frozenset[str] | None) -> Iterator[Located]:
    if not isinstance(document.value, dict):
        wanted = ("the file must be a mapping from kinds to names", "write `message.push.sent: My name`")
        yield document.located((), *wanted)
        return
    named: dict[str, str] = {}
    for kind, name in document.value.items():
        path = (kind,)
        if kind not in SPELLINGS:
            yield Located(document.lines[path], partial(_unknown_kind, document, kind))
            continue
        yield from _mistakes_of_name(document, kind, None if name is None else document.texts.get(path), reserved)
        canonical = SPELLINGS[kind].name
        if canonical in named:
            yield document.located(path, f"`{kind}` is the same kind as `{named[canonical]}`", "keep one of them")
        named[canonical] = kind


def _mistakes_of_name(
    document: Document, kind: str, name: str | None, reserved: frozenset[str] | None
) -> Iterator[Located]:
    path = (kind,)
    if name is None or not name.strip():
        yield document.located(path, f"`{kind}` needs a name, as text")
    elif len(name) > MAX_NAME_CHARACTERS:
        yield document.located(path, f"the name of `{kind}` has more than {MAX_NAME_CHARACTERS} characters")
    elif reserved is not None and name.strip().startswith(_SIGN) and name not in reserved:
        yield Located(document.lines[path], partial(_reserved_name, document, kind, name, reserved))


def _unknown_kind(document: Document, kind: str) -> Mistake:
    return document.mistake((kind,), f"unknown kind {quoted(kind)}", did_you_mean(kind, SPELLINGS))


def _reserved_name(document: Document, kind: str, name: str, reserved: frozenset[str]) -> Mistake:
    allowed = ", ".join(f"`{each}`" for each in sorted(reserved))
    suggestion = did_you_mean(name, reserved) or f"allowed are {allowed}"
    return document.mistake((kind,), f"the destination reserves the name {quoted(name)}", suggestion)
