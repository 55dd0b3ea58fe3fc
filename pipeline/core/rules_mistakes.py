"""Turn the errors of the JSON Schema validator into texts for the author of a rules file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pipeline.core.mistakes import Located, did_you_mean, quoted, shortened
from pipeline.core.rules import Condition, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema import ValidationError

    from pipeline.core.mistakes import Mistake
    from pipeline.core.yaml_document import Document, Path

Wording: TypeAlias = tuple[str, str | None]
"""A message and, where there is one, a suggestion."""

_TYPES: Final[Mapping[str, str]] = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "boolean": "true or false",
}
_CONDITIONS: Final = frozenset(condition.value for condition in Condition)
_VERDICTS: Final = frozenset(verdict.value for verdict in Verdict)
_BOOLEANS: Final[Mapping[str, str]] = {
    "yes": "write `true`",
    "on": "write `true`",
    "no": "write `false`",
    "off": "write `false`",
}
_SAMPLE: Final = "{sample: {percent: 10, by: user}}"
_PATH_OF_A_RULE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of the validator: the schema's keyword and its argument, the value and its path."""

    keyword: str
    expected: Any
    value: Any
    path: Path
    document: Document

    @property
    def text(self) -> str | None:
        """The value as it was written; None for a list or a mapping."""
        return self.document.texts.get(self.path)

    @property
    def subject(self) -> str:
        """The key of the value; for a value in a list, the key of the list."""
        if self.path[:1] == ("rules",) and len(self.path) == _PATH_OF_A_RULE:
            return f"rule {self.path[1] + 1}" if isinstance(self.path[1], int) else "rules"
        return next((str(step) for step in reversed(self.path) if isinstance(step, str)), "file")

    def mistake(self) -> Mistake:
        """Return the finding as a mistake."""
        message, suggestion = _WORDINGS[self.keyword](self)
        return self.document.mistake(self.path, message, suggestion)


def explain(error: ValidationError, document: Document) -> Iterator[Located]:
    """Yield the mistakes that one error of the validator stands for."""
    schema: Any = error.schema
    finding = Finding(
        keyword=str(error.validator),
        expected=error.validator_value,
        value=error.instance,
        path=tuple(error.absolute_path),
        document=document,
    )
    if finding.keyword == "additionalProperties":
        known = list(schema["properties"])
        for key in finding.value:
            if key not in known:
                yield Located(document.lines[*finding.path, key], partial(_unknown_key, finding, key, known))
    else:
        yield Located(document.lines[finding.path], finding.mistake)


def _unknown_key(finding: Finding, key: str, known: list[str]) -> Mistake:
    in_conditions = finding.path[-1:] == ("when",)
    suggestion = did_you_mean(key, known) or f"known are {_listed(known)}"
    if not in_conditions and key in _CONDITIONS:
        suggestion = f"`{key}` is a condition: put it under `when`"
    elif not in_conditions and key in _VERDICTS:
        suggestion = f"write `then: {key}`"
    what = "condition" if in_conditions else "key"
    return finding.document.mistake((*finding.path, key), f"unknown {what} {quoted(key)}", suggestion)


def _missing(finding: Finding) -> Wording:
    parent = finding.path[-1] if finding.path else None
    within = "" if parent is None else f" in rule {parent + 1}" if isinstance(parent, int) else f" in `{parent}`"
    # Each list of required keys in the schema has one item.
    return f"{_listed(finding.expected)} is missing{within}", None


def _not_a_member(finding: Finding) -> Wording:
    decision = finding.subject in {"then", "default"}
    if finding.text is None:
        wanted = "keep, drop, tracked_only or a sample" if decision else "a word"
        return f"{quoted(finding.subject)} must be {wanted}, not {_type_of(finding.value)}", None
    known = f"known are {_listed([*finding.expected, *([_SAMPLE] if decision else [])])}"
    if not finding.text:
        return f"{quoted(finding.subject)} has no value", known
    suggestion = did_you_mean(finding.text, finding.expected) or known
    if decision and did_you_mean(finding.text, [Verdict.SAMPLE]):
        suggestion = f"a sample needs a percentage: write `{finding.subject}: {_SAMPLE}`"
    return f"unknown {'decision' if decision else finding.subject} {quoted(finding.text)}", suggestion


def _of_another_type(finding: Finding) -> Wording:
    types = [finding.expected] if isinstance(finding.expected, str) else finding.expected
    expected = " or ".join(_TYPES[name] for name in types)
    if not finding.path:
        return f"the file must be {expected}, not {_type_of(finding.value)}", "begin with `rules:`"
    if finding.value is None:
        return f"{quoted(finding.subject)} has no value", "write one or delete the key"
    found = _type_of(finding.value) if finding.text is None else quoted(finding.text)
    return f"{quoted(finding.subject)} must be {expected}, not {found}", _retyped(types, finding.text)


def _retyped(types: list[str], text: str | None) -> str | None:
    if text is not None and types == ["string"]:
        return f'put it in quotes: "{shortened(text)}"'
    if text is not None and types == ["boolean"]:
        return _BOOLEANS.get(text.lower())
    return None


def _empty(finding: Finding) -> Wording:
    return f"{quoted(finding.subject)} is empty", "write a value or delete the key"


def _too_many(finding: Finding) -> Wording:
    return f"{quoted(finding.subject)} has more than {finding.expected:,} items", None


def _out_of_range(finding: Finding) -> Wording:
    return f"{quoted(finding.subject)} must be from 0 to 100, not {quoted(finding.text or '')}", None


def _blank(finding: Finding) -> Wording:
    return f"{quoted(finding.subject)} is blank", "write a value or delete the key"


def _too_long(finding: Finding) -> Wording:
    return f"{quoted(finding.subject)} has more than {finding.expected:,} characters", None


_WORDINGS: Final[Mapping[str, Callable[[Finding], Wording]]] = {
    "required": _missing,
    "enum": _not_a_member,
    "type": _of_another_type,
    "minItems": _empty,
    "minProperties": _empty,
    "maxItems": _too_many,
    "maxProperties": _too_many,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "pattern": _blank,
    "maxLength": _too_long,
}
EXPLAINED_KEYWORDS: Final = frozenset({"additionalProperties", *_WORDINGS})
"""The keywords that a rules schema may use."""


def _listed(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _type_of(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, dict) else "a single value"
