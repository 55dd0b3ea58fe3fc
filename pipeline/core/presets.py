"""Ready-made rules by name, which need no file."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pipeline.core.classification import MtuClass
from pipeline.core.filters import Rules
from pipeline.core.kinds import Action, Category
from pipeline.core.rules import DROP, KEEP, TRACKED_ONLY, Clause, Condition, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping


class Preset(StrEnum):
    """The names of the presets.

    ``engagement-only`` saves the most MTUs: Received touches nearly the same users as Sent. ``tracked-only`` saves as
    many, and keeps the delivery events of users who are tracked already. ``exempt-delivery`` saves as many where the
    destination exempts delivery events by name, and keeps those; at Segment, which exempts none, it equals
    ``engagement-only``.
    """

    KEEP_ALL = "keep-all"
    CURB_SENT_AND_DISPLAYED = "curb-sent-and-displayed"
    ENGAGEMENT_ONLY = "engagement-only"
    TRACKED_ONLY = "tracked-only"
    EXEMPT_DELIVERY = "exempt-delivery"


_RULES: Final[Mapping[Preset, tuple[Rule, ...]]] = {
    Preset.KEEP_ALL: (),
    Preset.CURB_SENT_AND_DISPLAYED: (
        Rule(
            when=(Clause(Condition.ACTION, frozenset({Action.SENT, Action.DISPLAYED, Action.PAGE_DISPLAYED})),),
            then=DROP,
            name="sent and displayed, on every channel",
        ),
    ),
    Preset.ENGAGEMENT_ONLY: (
        Rule(
            when=(Clause(Condition.CATEGORY, frozenset({Category.DELIVERY})),),
            then=DROP,
            name="the whole delivery category",
        ),
    ),
    Preset.TRACKED_ONLY: (
        Rule(
            when=(Clause(Condition.CATEGORY, frozenset({Category.DELIVERY})),),
            then=TRACKED_ONLY,
            name="the whole delivery category",
        ),
    ),
    Preset.EXEMPT_DELIVERY: (
        Rule(
            when=(
                Clause(Condition.CATEGORY, frozenset({Category.DELIVERY})),
                Clause(Condition.MTU, frozenset({MtuClass.COUNTED})),
            ),
            then=DROP,
            name="delivery events that make MTUs",
        ),
    ),
}


def preset_rules(preset: Preset) -> Rules:
    """Return the rules of a preset."""
    return Rules(rules=_RULES[preset], default=KEEP, filename=f"preset {preset}")
