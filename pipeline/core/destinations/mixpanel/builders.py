"""The record builders for Mixpanel, one for each kind of event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pipeline.core.classification import Destination, MtuClass, mtu_class_of_name
from pipeline.core.derived_names import derived_name
from pipeline.core.destinations.mixpanel.identity import AnonymousId
from pipeline.core.destinations.mixpanel.limits import MAX_TEXT_CHARACTERS
from pipeline.core.destinations.mixpanel.message_ids import message_id_of
from pipeline.core.destinations.mixpanel.mtu import MTU_RULES, MtuReading
from pipeline.core.destinations.mixpanel.names import MIXPANEL_NAMES
from pipeline.core.destinations.mixpanel.record import Shape
from pipeline.core.record_values import MESSAGE_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.kinds import Kind
    from pipeline.core.record_builders import BuildRecord

RECORD_VERSION: Final = "mixpanel-1"
"""Names the shape of the records. It changes with the shape, not with each release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixpanelRecords:
    """The `RecordBuilders` of Mixpanel. The defaults are the settings' defaults.

    ``custom_names`` maps canonical kinds to event names. ``send_device_id`` adds ``$device_id`` to the events of known
    users; Mixpanel then merges user and device for ever.
    """

    custom_names: Mapping[str, str] = field(default_factory=dict)
    mtu_reading: MtuReading = MtuReading.PROSE
    anonymous_id: AnonymousId = AnonymousId.DEVICE
    send_device_id: bool = False
    destination: str = field(default=Destination.MIXPANEL.value, init=False)
    message_id_of = staticmethod(message_id_of)

    @property
    def shaping(self) -> tuple[object, ...]:
        """The version of the records' shape, the event names, the version of the MTU rules, and the ids of users."""
        names = sorted({**MIXPANEL_NAMES, **self.custom_names}.items())
        return RECORD_VERSION, names, MTU_RULES[self.mtu_reading].version, self.anonymous_id, self.send_device_id

    def mtu_class(self, kind: Kind) -> MtuClass:
        """Return whether a kind counts under the name that is sent."""
        return mtu_class_of_name(self._name_of(kind), MTU_RULES[self.mtu_reading])

    def builder_of(self, kind: Kind) -> BuildRecord:
        """Return the builder for a kind. A kind without a name is named by its own words."""
        kind_name, message_type = kind.name[:MAX_TEXT_CHARACTERS], MESSAGE_TYPES[kind.channel]
        shape = Shape(self._name_of(kind), kind_name, message_type, self.anonymous_id, self.send_device_id)
        return shape.build_record

    def _name_of(self, kind: Kind) -> str:
        name = self.custom_names.get(kind.name) or MIXPANEL_NAMES.get(kind.name) or derived_name(kind)
        return name[:MAX_TEXT_CHARACTERS]
