"""Everything that determines the outcome of messages, fixed before the first one: rules, settings, record builders.

It is compiled into a plan for each kind, so that nothing is computed twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
import orjson

from pipeline.core.classification import MtuClass
from pipeline.core.filters import Filter, FilterBook, Rules
from pipeline.core.identity import AnonymousPolicy
from pipeline.core.ids import EMPTY_IDS, EmptyIds
from pipeline.core.kinds import SPELLINGS, Category, Kind, kind_of
from pipeline.core.outcomes import RejectReason
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.record_builders import BuildRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.record_builders import RecordBuilders

_CACHED_UNKNOWN_KINDS: Final = 1024


class UnknownKinds(StrEnum):
    """What to do with a kind that is not in the table."""

    REJECT = "reject"
    DELIVER = "deliver"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateOptions:
    """Which state the processor keeps, as far as it affects outcomes: tracked users and the message catalogue.

    ``month_start_day`` is the first day of the billing month; ``catalogue_days`` is None without a message catalogue.
    """

    month_start_day: int = 1
    tracked_users: bool = False
    catalogue_days: int | None = None


class Plan(msgspec.Struct, frozen=True):
    """Everything about the events of a kind that is known in advance.

    ``is_counted``: their records make their users billed users. ``refusal``: none of them can be used.
    """

    kind: Kind
    identified: Filter
    anonymous: Filter
    anonymous_policy: AnonymousPolicy
    build_record: BuildRecord
    message_id_of: Callable[[str | None, bytes], str]
    is_counted: bool = True
    refusal: RejectReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The user's choices. The defaults are those of the settings.

    ``records`` builds the records for the destination. ``nobody_ids`` are placeholders for external ids in addition to
    the usual ones; ``empty_ids`` decides by all of them. ``version`` is a hash of everything that affects outcomes and
    records: with the same version and state, a message always has the same outcome and bytes.
    """

    records: RecordBuilders
    rules: Rules = field(default_factory=lambda: preset_rules(Preset.KEEP_ALL))
    unknown_kinds: UnknownKinds = UnknownKinds.REJECT
    anonymous_delivery: AnonymousPolicy = AnonymousPolicy.DELIVER
    anonymous_engagement: AnonymousPolicy = AnonymousPolicy.DELIVER
    nobody_ids: frozenset[str] = frozenset()
    state_options: StateOptions = StateOptions()
    version: str = field(init=False)
    empty_ids: EmptyIds = field(init=False, repr=False, compare=False)
    plans: Mapping[str, Plan] = field(init=False, repr=False, compare=False)
    plan_of_unknown: Callable[[str], Plan] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the plans of all known spellings; those of unknown kinds are compiled on demand."""
        book = FilterBook(self.rules, self.records.mtu_class)

        def plan_of(kind: Kind) -> Plan:
            return Plan(
                kind=kind,
                identified=book.filter_for(kind, anonymous=False),
                anonymous=book.filter_for(kind, anonymous=True),
                anonymous_policy=self._anonymous_policy(kind.category),
                build_record=self.records.builder_of(kind),
                message_id_of=self.records.message_id_of,
                is_counted=self.records.mtu_class(kind) is MtuClass.COUNTED,
                refusal=self._refusal(kind),
            )

        def plan_of_unknown(spelling: str) -> Plan:
            return plan_of(kind_of(spelling))

        empty_ids = EmptyIds(self.nobody_ids) if self.nobody_ids else EMPTY_IDS
        choices = (self.unknown_kinds, self.anonymous_delivery, self.anonymous_engagement)
        meaning = (self.rules.version, *choices, sorted(empty_ids.own_words))
        everything = [meaning, self.records.shaping, astuple(self.state_options)]
        version = hashlib.sha256(orjson.dumps(everything)).hexdigest()[:12]
        object.__setattr__(self, "version", version)
        object.__setattr__(self, "empty_ids", empty_ids)
        object.__setattr__(self, "plans", {spelling: plan_of(kind) for spelling, kind in SPELLINGS.items()})
        object.__setattr__(self, "plan_of_unknown", lru_cache(maxsize=_CACHED_UNKNOWN_KINDS)(plan_of_unknown))

    def plan_for(self, spelling: str) -> Plan:
        """Return the plan for the kind that a spelling names."""
        return self.plans.get(spelling) or self.plan_of_unknown(spelling)

    def _anonymous_policy(self, category: Category) -> AnonymousPolicy:
        policies = {
            Category.DELIVERY: self.anonymous_delivery,
            Category.ENGAGEMENT: self.anonymous_engagement,
        }
        return policies[category]

    def _refusal(self, kind: Kind) -> RejectReason | None:
        if not kind.name:
            return RejectReason.NOT_AN_EVENT
        if not kind.known and (self.unknown_kinds is UnknownKinds.REJECT or "@" in kind.name):
            return RejectReason.UNKNOWN_KIND  # an address is not a kind, and would appear in the event name
        return None
