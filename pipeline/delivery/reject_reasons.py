"""The reject reasons that all destinations share."""

from __future__ import annotations

from enum import StrEnum


class DeliveryRejectReason(StrEnum):
    """Reasons that all sinks share. A destination adds its own in a separate enum; values must not repeat.

    `REFUSED` and `TOO_LARGE` are also the reasons of records that the destination refused.
    """

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AVRO = "not_avro"
    UNKNOWN_SCHEMA = "unknown_schema"
    UNUSABLE_SCHEMA = "unusable_schema"
    TOO_DEEP = "too_deep"
    TOO_FAR_AHEAD = "too_far_ahead"
    """The event's time is later than the destination allows."""
    REFUSED = "refused"
