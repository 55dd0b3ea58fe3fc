"""Check whether the processor can read events written with a registered schema, with Avro's checker and the decoder.

The `avro` package is the authority on Avro's rules. The compiled decoder is what the processor runs. They disagree if a
writer's union has a type that cannot be read: by the rules the whole schema is incompatible, but the decoder reads the
events that have another type. So both are used, and a version is readable if both accept it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.avro.decoding import event_decoder
from pipeline.core.avro.schema_types import UnusableSchemaError
from pipeline.kafka.schema_registry import Absence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from avro.compatibility import SchemaCompatibilityResult

    from pipeline.kafka.schema_registry import Version

LARGEST_CHECKED: Final = 1024 * 1024
"""Schemas of more characters are not given to the checker. It takes up to four seconds for this length, and its time
grows with the square. A registry that stores schemas in Kafka accepts no longer ones: a message has 1 MB at most."""
_READABLE: Final = "it can be read"
_ABSENT: Final[Mapping[Absence, str]] = {
    Absence.UNKNOWN: "the registry no longer has it, or lacks a schema that it refers to",
    Absence.NOT_AVRO: Absence.NOT_AVRO.value,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The reasons why the decoder and Avro's checker cannot read a schema; None if they can."""

    decoder: str | None
    checker: str | None


def judge(writer_schema: str) -> Judgement:
    """Return whether decoder and checker can read raw events of a schema. A reason has at most 500 characters."""
    return Judgement(decoder=_decoder_objection(writer_schema), checker=_checker_objection(writer_schema))


@dataclass(slots=True)
class VersionReport:
    """Counts of the versions checked so far.

    A soft-deleted version is checked too, because the topic may still contain its messages. It is not counted as
    readable or unreadable, because it is already withdrawn.
    """

    readable: int = 0
    unreadable: int = 0
    deleted: int = 0

    def add(self, version: Version) -> str | None:
        """Check and count a version; return why the processor cannot read all of its messages, or None if it can."""
        objection = _objection(version)
        if version.deleted:
            self.deleted += 1
        elif objection is None:
            self.readable += 1
        else:
            self.unreadable += 1
        mark = " (soft-deleted, not counted)" if version.deleted else ""
        return None if objection is None else f"version {version.number}{mark}{objection}"

    def __str__(self) -> str:
        """Return how many versions can be read, as text."""
        counted = self.readable + self.unreadable
        summary = (
            f"the processor can read {self.readable} of {counted} versions" if counted else "no version is registered"
        )
        return f"{summary}; {self.deleted} soft-deleted, not counted" if self.deleted else summary


def _objection(version: Version) -> str | None:
    if isinstance(version.schema, Absence):
        return f" cannot be read: {_ABSENT[version.schema]}"
    judgement = judge(version.schema)
    if judgement.decoder is None and judgement.checker is None:
        return None
    both = judgement.decoder is not None and judgement.checker is not None
    return (
        f"{' cannot be read' if both else ': decoder and checker disagree'}. "
        f"Decoder: {judgement.decoder or _READABLE}. Avro's checker: {judgement.checker or _READABLE}."
    )


def _decoder_objection(writer_schema: str) -> str | None:
    try:
        event_decoder(writer_schema)
    except UnusableSchemaError as error:
        return str(error)
    return None


def _checker_objection(writer_schema: str) -> str | None:
    if len(writer_schema) > LARGEST_CHECKED:
        return f"not run, because the schema has more than {LARGEST_CHECKED:,} characters"
    try:
        with warnings.catch_warnings():  # it warns about unknown logical types
            warnings.simplefilter("ignore")
            ours, theirs = avro.schema.parse(RAW_EVENT.text), avro.schema.parse(writer_schema)
        result = ReaderWriterCompatibilityChecker().get_compatibility(ours, theirs)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 -- RecursionError and TypeError are among what it raises
        return _short(f"the avro package cannot read the schema ({_innermost(error)})")
    return None if result.compatibility is SchemaCompatibilityType.compatible else _short(_words(result))


def _words(result: SchemaCompatibilityResult) -> str:
    """Return what is incompatible. The result does not assign messages to locations."""
    kinds = {kind.value.replace("_", " ") for kind in result.incompatibilities}
    return f"{_listed(kinds)} ({_listed(result.messages)}) at {_listed(result.locations)}"


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(sorted(texts))


def _innermost(error: BaseException) -> str:
    """Return the text of the first error. Each level of a schema wraps it in another that quotes the whole level."""
    while (inner := error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__


def _short(reason: str) -> str:
    return str(UnusableSchemaError(reason))
