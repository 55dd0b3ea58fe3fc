"""The options of delivery that every destination takes from its section of the settings."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pipeline.delivery.options import DeliveryOptions

if TYPE_CHECKING:
    from pipeline.settings.destination_section import DestinationSettings
    from pipeline.settings.sections import Settings


def delivery_options(settings: Settings, own: DestinationSettings) -> dict[str, Any]:
    """Return every option of `DeliveryOptions` except the endpoint, by its name.

    An option has the name of its setting in the destination's section, or else among the common settings.
    """
    shared = {field.name for field in fields(DeliveryOptions)} - {"endpoint"}
    own_fields = shared & type(own).model_fields.keys()
    return {name: getattr(own if name in own_fields else settings, name) for name in sorted(shared)}
