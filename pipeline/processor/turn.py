"""One batch on its way through the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.core.messages import MessageBatch
    from pipeline.kafka.producer import Handed
    from pipeline.processor.deciding import DecidedBatch


class Turn:
    """A batch, and how far `Processor.handle` has taken it.

    A turn in a round may not wait, because that would delay the other partitions of the round. A turn that goes on
    alone has ``may_wait`` set.
    """

    __slots__ = ("admitted", "batch", "decided", "handed", "may_wait")

    def __init__(self, batch: MessageBatch) -> None:
        self.batch = batch
        self.may_wait = False
        self.decided: DecidedBatch | None = None
        self.admitted = False
        self.handed: Handed | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the broker has confirmed what was handed over."""
        handed = self.handed
        if handed is None or not handed.confirmation.done() or handed.confirmation.cancelled():
            return False
        return handed.confirmation.exception() is None

    def cancel(self) -> None:
        """Stop waiting for what was handed over; it may still be written."""
        if self.handed is not None:
            self.handed.confirmation.cancel()
