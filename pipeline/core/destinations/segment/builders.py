"""The record builders for Segment, one for each kind of event."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from pipeline.core.classification import Destination, MtuClass, MtuRules, mtu_class
from pipeline.core.derived_names import derived_name
from pipeline.core.destinations.segment.message_ids import message_id_of
from pipeline.core.destinations.segment.mtu import SEGMENT_MTU, STATED_MTU_RULES
from pipeline.core.destinations.segment.names import NameProfile, event_names
from pipeline.core.destinations.segment.record import Shape
from pipeline.core.record_values import MESSAGE_TYPES
from pipeline.core.texts import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.core.kinds import Kind
    from pipeline.core.record_builders import BuildRecord

INTEGRATION_NAME: Final = "onesignal"
RECORD_VERSION: Final = "1.1.0"
"""Names the shape of the records in ``context.integration``. It changes with the shape, not with each release."""

_LOOP: Final = "OneSignal New"
"""Segment's OneSignal destination is always off: it would turn these properties into OneSignal tags
(schemas/SOURCES.md, "Segment's OneSignal destination")."""

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRecords:
    """The `RecordBuilders` of Segment. The defaults are the settings' defaults.

    ``custom_names`` maps canonical kinds to event names and is read with the profile ``custom`` only.
    ``integrations_off`` are Segment's names of further destinations that records are not sent on to. Their order does
    not matter.
    """

    name_profile: NameProfile = NameProfile.ONESIGNAL
    custom_names: Mapping[str, str] = field(default_factory=dict)
    mtu_rules: tuple[MtuRules, ...] = STATED_MTU_RULES
    integrations_off: tuple[str, ...] = ()
    destination: str = field(default=Destination.SEGMENT.value, init=False)
    message_id_of = staticmethod(message_id_of)

    def __post_init__(self) -> None:
        """Sort the integrations, so that equal builders build equal bytes."""
        object.__setattr__(self, "integrations_off", tuple(sorted({*self.integrations_off} - {_LOOP})))

    @property
    def shaping(self) -> tuple[object, ...]:
        """The version of the records' shape, the event names, the versions of the MTU rules, and integrations."""
        off = [self.integrations_off] if self.integrations_off else []
        return RECORD_VERSION, sorted(self._names().items()), [rules.version for rules in self.mtu_rules], *off

    def mtu_class(self, kind: Kind) -> MtuClass:
        """Return that a kind counts: Segment exempts none."""
        return mtu_class(kind, SEGMENT_MTU)

    def builder_of(self, kind: Kind) -> BuildRecord:
        """Return the builder for a kind. A kind without a name is named by its own words."""
        event_name = self._names().get(kind.name) or derived_name(kind)
        return Shape(
            event_name, kind.name, MESSAGE_TYPES[kind.channel], self._context_of(kind), self._integrations()
        ).build_record

    def _names(self) -> Mapping[str, str]:
        return event_names(self.name_profile, self.custom_names)

    def _integrations(self) -> msgspec.Raw:
        off = dict.fromkeys((_LOOP, *self.integrations_off), False)
        return msgspec.Raw(_encode({"All": True, **off}))

    def _context_of(self, kind: Kind) -> Callable[[str | None], msgspec.Raw]:
        classes = {rules.destination.value: mtu_class(kind, rules).value for rules in self.mtu_rules}
        integration = {"name": INTEGRATION_NAME, "version": RECORD_VERSION}

        @lru_cache(maxsize=256)
        def context(app_id: str | None) -> msgspec.Raw:
            onesignal = {
                "app_id": app_id,
                "channel": kind.channel.value,
                "action": kind.action.value,
                "category": kind.category.value,
                "mtu": classes,
            }
            if shown(app_id) is None:
                del onesignal["app_id"]
            return msgspec.Raw(_encode({"integration": integration, "onesignal": onesignal}))

        return context
