"""The limits of one request, and how its size is counted."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """What a destination accepts in one request. Sizes are bytes before compression.

    Attributes:
        max_bytes: Of a whole body.
        max_records: In one body.
        max_record_bytes: Of one record.
        envelope_bytes: Of a body without its records and separators.
        separator_bytes: Of the separator between two records.

    Raises:
        ValueError: the largest record does not fit into a request.
    """

    max_bytes: int
    max_records: int
    max_record_bytes: int
    envelope_bytes: int
    separator_bytes: int

    def __post_init__(self) -> None:
        if self.max_bytes < self.least_bytes or self.max_records < 1:
            raise ValueError(f"a request needs room for one record: at least {self.least_bytes} bytes")

    @property
    def least_bytes(self) -> int:
        """The size of a body with the largest record alone."""
        return self.envelope_bytes + self.max_record_bytes

    def body_bytes(self, *, records: int, record_bytes: int) -> int:
        """Return the exact length of a body of some records that have ``record_bytes`` together."""
        return self.envelope_bytes + record_bytes + self.separator_bytes * max(0, records - 1)


class LearntLimits:
    """The limits of all lanes of a sink: those of the settings, until a smaller size is learned.

    The size limit is only lowered while the process runs. It stays large enough for the largest record, because a
    record that fits into no request could never be sent.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self.in_force = limits

    @property
    def max_bytes(self) -> int:
        return self.in_force.max_bytes

    def cured(self, body_bytes: int) -> None:
        """Lower the limit after a body was refused as too large and its records passed in smaller bodies.

        The new limit is half of that body. After a few of these it is below the destination's limit, and never below
        half of it.
        """
        max_bytes = max(self.in_force.least_bytes, body_bytes // 2)
        if max_bytes < self.max_bytes:
            self.in_force = replace(self.in_force, max_bytes=max_bytes)
