"""Why a batch of messages cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from pipeline.core.messages import Partition

UNPACKED_BOUND = "max_unpacked_batch_bytes"
"""The setting that bounds the size of unpacked batches."""
MESSAGE_BOUND = "max_bytes_in_hand"
"""The setting that bounds a single message, together with the size of a fetch."""


class BatchFaultError(Exception):
    """A batch cannot be read; the text is a clause with the reason and contains nothing of the batch."""


class TooLargeError(BatchFaultError):
    """A batch, or a message, is larger than a setting allows."""

    def __init__(self, what: str, most: int, setting: str) -> None:
        super().__init__(f"{what}, more than the {most:,} of {variable(setting)}")
        self.setting = setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Where a partition cannot be read, and why.

    `offset` is the first one that cannot be read. `next_offset` is where the log continues; None if that is not
    certain. `setting` is the limit that must be raised to read it; None if no limit is the cause.
    """

    offset: int
    next_offset: int | None
    why: str
    setting: str | None = None

    @property
    def remedy(self) -> str:
        """What to do about it, apart from skipping it."""
        if self.setting is not None:
            return f"raise {variable(self.setting)}"
        return "repair the broker's copy, for example from another replica"


def describe(partition: Partition, found: Unreadable) -> str:
    """Return one clause: from which offset on the partition cannot be read, and why."""
    topic, number = partition
    return f"{topic}[{number}] cannot be read from offset {found.offset} on: {found.why}"
