"""What is wrong with a batch of messages that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings.mistakes import variable

UNPACKED_BOUND = "max_unpacked_batch_bytes"
"""The setting that bounds what batches are unpacked to."""
MESSAGE_BOUND = "max_bytes_in_hand"
"""The setting that bounds a single message, together with the size of a fetch."""


class BatchFaultError(Exception):
    """A batch cannot be read; the text is a clause that says why and holds nothing of the batch's own words."""


class TooLargeError(BatchFaultError):
    """A batch, or a message, is larger than a setting allows."""

    def __init__(self, what: str, most: int, setting: str) -> None:
        super().__init__(f"{what}, more than the {most:,} of {variable(setting)}")
        self.setting = setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """From where a partition cannot be read, and why.

    `offset` is the first that cannot be read, `next_offset` where the log goes on behind it, None where nothing tells
    that for sure. `setting` is the one that would let it pass when it is raised, None where none would.
    """

    offset: int
    next_offset: int | None
    why: str
    setting: str | None = None

    @property
    def remedy(self) -> str:
        """What to do about it, beside passing over it."""
        if self.setting is not None:
            return f"raise {variable(self.setting)}"
        return "repair the broker's copy, for example from another replica"


def describe(place: tuple[str, int], found: Unreadable) -> str:
    """Return one clause: which partition cannot be read from where, and why; `place` is its topic and number."""
    topic, number = place
    return f"{topic}[{number}] cannot be read from offset {found.offset} on: {found.why}"
