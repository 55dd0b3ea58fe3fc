"""Read a rules file. Its first mistakes are reported together, each with its line and a suggestion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft7Validator

from pipeline.core.filters import Rules
from pipeline.core.kinds import SPELLINGS
from pipeline.core.mistakes import refuse
from pipeline.core.rules import (
    DROP,
    KEEP,
    TRACKED_ONLY,
    WITHOUT_LETTER_CASE,
    Clause,
    Condition,
    Decision,
    Rule,
    SampleBy,
    Verdict,
)
from pipeline.core.rules_mistakes import explain
from pipeline.core.rules_schema import rules_schema
from pipeline.core.yaml_document import Document, Path, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECISIONS: Final = {decision.verdict.value: decision for decision in (KEEP, DROP, TRACKED_ONLY)}


def parse_rules(text: str, *, filename: str) -> Rules:
    """Return the compiled rules in the text of a rules file.

    Raises:
        RulesError: the file has mistakes. The first are listed, the others counted.
    """
    document = read_document(text, filename=filename)
    errors = Draft7Validator(rules_schema()).iter_errors(document.value)
    refuse([*document.mistakes, *(mistake for error in errors for mistake in explain(error, document))])
    rules = document.value["rules"]
    return Rules(
        rules=tuple(_rule(document, index, rule) for index, rule in enumerate(rules)),
        default=_decision(document.value.get("default", Verdict.KEEP.value)),
        filename=filename,
    )


def _rule(document: Document, index: int, rule: dict[str, Any]) -> Rule:
    path: Path = ("rules", index)
    return Rule(
        when=tuple(_clauses(document, (*path, "when"), rule.get("when", {}))),
        then=_decision(rule["then"]),
        name=rule.get("name"),
        line=document.lines[path],
        shadow=rule.get("shadow", False),
    )


def _clauses(document: Document, path: Path, when: dict[str, Any]) -> Iterator[Clause]:
    for word, wanted in when.items():
        condition = Condition(word)
        if condition is Condition.TAG:
            for tag, values in wanted.items():
                yield Clause(condition, _texts(document, (*path, word, tag), values), tag)
        else:
            yield Clause(condition, _values(condition, _texts(document, (*path, word), wanted)))


def _texts(document: Document, path: Path, wanted: object) -> frozenset[str]:
    """Return one value or a list of values as they were written: the tag `level: 1.50` is the text `1.50`."""
    if isinstance(wanted, list):
        return frozenset(document.texts[*path, index] for index in range(len(wanted)))
    return frozenset({document.texts[path]})


def _values(condition: Condition, texts: frozenset[str]) -> frozenset[str]:
    if condition is Condition.KIND:
        return frozenset(SPELLINGS[text].name for text in texts)
    if condition is Condition.ANONYMOUS or condition in WITHOUT_LETTER_CASE:
        return frozenset(text.lower() for text in texts)
    return texts


def _decision(then: str | dict[str, Any]) -> Decision:
    if isinstance(then, str):
        return _DECISIONS[then]
    sample = then[Verdict.SAMPLE.value]
    return Decision(Verdict.SAMPLE, float(sample["percent"]), SampleBy(sample.get("by", SampleBy.USER)))
