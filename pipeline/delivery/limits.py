"""What one request may hold, and how its size is counted."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """What a destination accepts in one request. Sizes are bytes before compression.

    Attributes:
        max_bytes: Of a whole body.
        max_records: In one body.
        max_record_bytes: Of one record.
        envelope_bytes: What a body has besides its records and separators.
        separator_bytes: What stands between two records.

    Raises:
        ValueError: the largest record does not fit into a request of its own.
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
        """The body of the largest record alone."""
        return self.envelope_bytes + self.max_record_bytes

    def body_bytes(self, *, records: int, record_bytes: int) -> int:
        """Return the exact length of a body of some records that have ``record_bytes`` together."""
        return self.envelope_bytes + record_bytes + self.separator_bytes * max(0, records - 1)


class LearntLimits:
    """The limits in force for all lanes of a sink: those of the settings, until a body was too large on the way.

    The size only shrinks, until the process ends. It stays large enough for the largest record: a smaller one would
    leave records that fit into no request.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self.in_force = limits

    @property
    def max_bytes(self) -> int:
        return self.in_force.max_bytes

    def cured(self, body_bytes: int) -> None:
        """Learn from a body that was refused as too large, and whose records were accepted in smaller ones.

        Half of it is the new limit: after a few of these it is below what the way takes, and never below half of that.
        """
        max_bytes = max(self.in_force.least_bytes, body_bytes // 2)
        if max_bytes < self.max_bytes:
            self.in_force = replace(self.in_force, max_bytes=max_bytes)
