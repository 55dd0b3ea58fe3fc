"""Whether an event makes its user a monthly tracked user (MTU), by the rules of one destination.

The rules are data with a version, and each destination's module has its own.
Sources: schemas/SOURCES.md, "Segment tracked users";
schemas/SOURCES.md, "Mixpanel tracked users".
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pipeline.core.kinds import Kind


class Destination(StrEnum):
    """Where records go."""

    SEGMENT = "segment"
    MIXPANEL = "mixpanel"


class MtuClass(StrEnum):
    """Whether an event makes its user a billed user."""

    COUNTED = "counted"
    EXEMPT = "exempt"


class MtuRules(msgspec.Struct, frozen=True, kw_only=True):
    """The MTU rules of one destination, in one version.

    ``names`` are the destination's names of the kinds; ``exempt_names`` are those that do not count.
    """

    destination: Destination
    version: str
    names: dict[str, str] = {}
    exempt_names: frozenset[str] = frozenset()


def mtu_class(kind: Kind, rules: MtuRules) -> MtuClass:
    """Return whether an event of this kind counts under these rules, if it is sent under the destination's name."""
    return mtu_class_of_name(rules.names.get(kind.name), rules)


def mtu_class_of_name(name: str | None, rules: MtuRules) -> MtuClass:
    """Return whether an event that is sent under a name counts under these rules."""
    return MtuClass.EXEMPT if name in rules.exempt_names else MtuClass.COUNTED
