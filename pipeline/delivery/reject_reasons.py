"""Why a record cannot be delivered, as far as that is the same for every destination."""

from __future__ import annotations

from enum import StrEnum


class DeliveryRejectReason(StrEnum):
    """Reasons that every sink shares. A destination adds its own in an enum of its own; values must not repeat.

    `REFUSED` and `TOO_LARGE` are also what a record is stored for that the destination refused.
    """

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AVRO = "not_avro"
    UNKNOWN_SCHEMA = "unknown_schema"
    UNUSABLE_SCHEMA = "unusable_schema"
    TOO_DEEP = "too_deep"
    REFUSED = "refused"
