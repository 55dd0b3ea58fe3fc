"""What each setting accepts, in words, for error messages and the reference."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import SecretStr

from pipeline.settings.sections import FIELDS, SETTINGS
from pipeline.settings.values import Expected

_NUMBERS: Final = {int: "a whole number", float: "a number"}


def annotation(field: str) -> tuple[type[Any], tuple[object, ...]]:
    """Return the plain type of a setting, without `None`, and the metadata of its annotation."""
    described = SETTINGS[field].described
    kind: Any = described.annotation
    metadata: tuple[object, ...] = tuple(described.metadata)
    if type(None) in get_args(kind):
        kind = next(member for member in get_args(kind) if member is not type(None))
    if get_origin(kind) is Annotated:
        kind, *added = get_args(kind)
        metadata += tuple(added)
    return kind, metadata


def choices(field: str) -> tuple[str, ...]:
    """List the values of a setting that takes one of a closed set; empty for other settings."""
    kind, _ = annotation(field)
    return tuple(kind) if issubclass(kind, StrEnum) else ()


@cache
def secrets() -> tuple[str, ...]:
    """List the settings whose values are never shown."""
    return tuple(field for field in FIELDS if annotation(field)[0] is SecretStr)


def expectation(field: str) -> str:
    """Return what a setting accepts, in words: `a whole number from 1 to 65535`."""
    kind, metadata = annotation(field)
    for added in metadata:
        if isinstance(added, Expected):
            return added.words
    if kind is bool:
        return "`true` or `false`"
    if listed := choices(field):
        return "one of " + ", ".join(f"`{choice}`" for choice in listed)
    low = next(bound.ge for bound in metadata if isinstance(bound, Ge))
    high = next(bound.le for bound in metadata if isinstance(bound, Le))
    return f"{_NUMBERS[kind]} from {low} to {high}"
