"""The maximum memory that docs/operate/capacity.md allows a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEBIBYTE: Final = 1024 * 1024
OVERHEAD_BYTES: Final = 500
WORKER_BYTES: Final = 100_000_000
UNPACKED_BYTES: Final = 32 * MEBIBYTE
"""The default of `PIPELINE_MAX_UNPACKED_BATCH_BYTES`, for all partitions together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The settings that bound a worker's memory per partition; the defaults are those of the program."""

    messages_in_hand: int = 2_000
    poll_records: int = 1_000
    fetch_bytes: int = MEBIBYTE
    bytes_in_hand: int = 4 * MEBIBYTE

    def of_partition(self, message_bytes: int) -> int:
        """Return the bytes of one partition whose messages have keys and values of this size."""
        most = self.messages_in_hand + self.poll_records
        overhead = most * OVERHEAD_BYTES
        in_hand = min(most * message_bytes + overhead, self.bytes_in_hand + self.fetch_bytes + overhead)
        return 2 * self.fetch_bytes + in_hand

    def of_records(self, message_bytes: int, record_bytes: int) -> int:
        """Return the bytes of the records that a processor builds from one batch of a partition."""
        records = min(self.poll_records * record_bytes, self.fetch_bytes * record_bytes // message_bytes)
        return records + self.poll_records * OVERHEAD_BYTES
