"""Dissect a refused request batch, in order, until each record at fault stands alone. No I/O, no clock.

The parts that are still to be sent stand in a row, and only the first is ever under way; a part that is refused is
replaced by its pieces. So records leave in the order in which they came, and what is accepted need not wait for what
is not. Verdicts are collected, and no dead letter is written before the last one. A verdict can be withdrawn (`rejoin`)
until a later record was, or may have been, accepted. After that, resending would break the order. So the breaker is
asked at each verdict, about the request batch as a whole, and what it allows is reserved.

An answer may also accept records and refuse others of the same body. Then the breaker is asked once about all refused
records; if it agrees, their verdicts are final (`confirm`). If it does not, they are withdrawn and sent again: then one
that is accepted after all is out of order.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.delivery.request_batch import BatchInHand, RequestBatch, Run
from pipeline.kafka.dead_letters import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from enum import StrEnum

    from pipeline.core.breaker import Breaker
    from pipeline.core.messages import Partition
    from pipeline.delivery.api import Api

NOTHING: Final = RequestBatch(runs=())
HALVES: Final = 2
"""Too large is cured by less: half of a request that was a little too large is not too large."""
QUARTERS: Final = 4
"""One bad record is found among n with 4 log4(n) requests, as few as with halves; many of them with a third less."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Verdict:
    """A record that is at fault, as a run of its own."""

    run: Run
    reason: StrEnum


@dataclass(slots=True, kw_only=True, eq=False)
class _TooLarge:
    """A body that was refused as too large, and how many of its records have not got through in smaller ones yet."""

    body_bytes: int
    records: int


class Dissection:
    """What is left to settle of one request batch. ``apart``: something of it was refused before.

    ``cured_bytes`` is the size of the smallest body that was refused as too large and whose records have all got
    through in smaller ones, so that it was the size that was refused; None while there is none. A record that is too
    large alone explains every refusal before it, and these teach nothing.
    """

    def __init__(self, request_batch: RequestBatch, *, api: Api, breaker: Breaker) -> None:
        self.apart = False
        self.cured_bytes: int | None = None
        self._too_large: list[_TooLarge] = []  # each contains the next, and all of them contain the first part
        self._stage = api.stage
        self._limits = api.limits
        self._breaker = breaker
        self._accepted = 0
        self._counted = False
        self._final = 0
        self._reserved = 0
        self._parts: deque[RequestBatch] = deque([request_batch.only_records()])
        self._verdicts: list[_Verdict] = []
        self._letters = request_batch.only_letters()
        self.tidy()

    @property
    def part(self) -> RequestBatch:
        """The records to send next, or under way; empty when each has its verdict."""
        return self._parts[0] if self._parts else NOTHING

    @property
    def letters(self) -> RequestBatch:
        """The dead letters, those from before the request included, in the order of their offsets."""
        letters: defaultdict[BatchInHand, list[DeadLetter]] = defaultdict(list)
        for run in self._letters.runs:
            letters[run.source] += run.letters
        for verdict in self._verdicts:
            letter = DeadLetter(stage=self._stage, reason=verdict.reason, message=verdict.run.messages[0])
            letters[verdict.run.source].append(letter)
        return RequestBatch(
            runs=tuple(
                Run(
                    source=source,
                    records=(),
                    messages=(),
                    times=(),
                    letters=sorted(found, key=lambda letter: letter.message.offset),
                )
                for source, found in letters.items()
            )
        )

    @property
    def bad(self) -> int:
        """How many records would become dead letters as it stands."""
        return len(self._verdicts) + sum(len(run.letters) for run in self._letters.runs)

    @property
    def unsettled(self) -> int:
        """How many records are neither accepted nor stored."""
        return self.bad + sum(part.record_count for part in self._parts)

    def may_go_on(self) -> bool:
        """Return whether the breaker allows the dead letters if all else is accepted; if so, reserve them."""
        records = self._accepted + self.unsettled
        if self.bad > self._reserved and not self._breaker.allows(records=records, bad=self.bad, own=self._reserved):
            return False
        self._reserve(self.bad)
        return True

    def may_be_stored(self) -> bool:
        """Return whether the breaker allows the dead letters; it is asked and told once."""
        if not self._counted and self.may_go_on():
            self._reserve(0)
            self._breaker.note(records=self._accepted + self.bad, bad=self.bad)
            self._counted = True
        return self._counted

    def accepted(self) -> RequestBatch:
        """Called when the first part was accepted; return it."""
        part = self._parts.popleft()
        self.confirm()
        self._settle(part, part, refused=())
        return part

    def accepted_in_part(self, sent: RequestBatch, refused: Mapping[int, StrEnum]) -> RequestBatch:
        """Called when the first part was accepted, except for some records; return what was accepted of it.

        Args:
            sent: The first part as it was sent. Partitions may have been forgotten since.
            refused: For the indexes in ``sent`` of the records that were refused, why.
        """
        part = self._parts.popleft()
        sources = {id(run.source) for run in part.runs}
        runs = (run for run in sent.except_for(refused).runs if id(run.source) in sources)
        accepted = RequestBatch(runs=tuple(runs))
        singles = ((index, run) for index, run in sent.singles(refused) if id(run.source) in sources)
        self._settle(part, accepted, refused=[_Verdict(run=run, reason=refused[index]) for index, run in singles])
        return accepted

    def confirm(self) -> None:
        """Make every verdict final: records behind them were accepted, or the breaker agreed to those of an answer."""
        self._final = len(self._verdicts)

    def unanswered(self) -> None:
        """Called when no answer came to the first part, so that it may be accepted already."""
        self._final = len(self._verdicts)

    def refused(self, reason: StrEnum) -> None:
        """Replace the first part by its pieces, or pass a verdict on it when it is one record."""
        self.apart = True
        part, too_large = self._parts.popleft(), reason is DeliveryRejectReason.TOO_LARGE
        if part.record_count > 1:
            # A record that is too large alone says that smaller requests are no cure: then it is a search again.
            cured_by_less = too_large and not self._verdicts
            if too_large:
                self._too_large.append(_TooLarge(body_bytes=part.body_bytes(self._limits), records=part.record_count))
            self._parts.extendleft(reversed(part.pieces(HALVES if cured_by_less else QUARTERS)))
        else:
            self._verdicts += (_Verdict(run=run, reason=reason) for run in part.runs)
            if too_large:
                self._too_large.clear()
            else:
                self._got_through(part.record_count)
        self.tidy()

    def cut(self, max_bytes: int) -> None:
        """Cut the first part, which is not under way, into smaller ones until it keeps a limit or is one record."""
        while self.part.record_count > 1 and self.part.body_bytes(self._limits) > max_bytes:
            self._parts.extendleft(reversed(self._parts.popleft().pieces(HALVES)))

    def rejoin(self) -> None:
        """Withdraw the verdicts that are not final: what is not settled by one is one part again, in order."""
        refused = (verdict.run for verdict in self._verdicts[self._final :])
        waiting = chain.from_iterable(part.runs for part in self._parts)
        self._too_large.clear()
        self._parts = deque([RequestBatch(runs=(*refused, *waiting))])
        del self._verdicts[self._final :]
        self._reserve(min(self._reserved, self.bad))
        self.tidy()

    def carries(self, partitions: Collection[Partition]) -> bool:
        """Return whether a message of some partitions is not settled yet."""
        refused = RequestBatch(runs=tuple(verdict.run for verdict in self._verdicts))
        return any(part.carries(partitions) for part in (*self._parts, refused, self._letters))

    def forget(self, partitions: Collection[Partition]) -> None:
        """Leave out some partitions. The first part may be under way, so it stays though nothing may be left of it."""
        self._parts = deque(part.without(partitions) for part in self._parts)
        kept = [each.run.source.partition not in partitions for each in self._verdicts]
        self._final = sum(kept[: self._final])
        self._verdicts = [each for each, stays in zip(self._verdicts, kept, strict=True) if stays]
        self._letters = self._letters.without(partitions)
        self._too_large.clear()
        self._reserve(min(self._reserved, self.bad))

    def _settle(self, part: RequestBatch, accepted: RequestBatch, *, refused: Sequence[_Verdict]) -> None:
        """Count what was accepted of the first part. What came before it is final then, verdicts included."""
        self._accepted += accepted.record_count
        if accepted.runs:
            self.confirm()
        self._verdicts += refused
        if any(verdict.reason is DeliveryRejectReason.TOO_LARGE for verdict in refused):
            self._too_large.clear()
        else:
            self._got_through(part.record_count)
        if not self.unsettled:
            self._breaker.note(records=self._accepted, bad=0)

    def _got_through(self, records: int) -> None:
        """Called when the first part was not too large: its records count as passed in every refusal around them."""
        for refused in self._too_large:
            refused.records -= records
        while self._too_large and not self._too_large[-1].records:
            cured = self._too_large.pop().body_bytes
            self.cured_bytes = min(cured, self.cured_bytes or cured)

    def _reserve(self, dead_letters: int) -> None:
        self._breaker.reserve(dead_letters - self._reserved)
        self._reserved = dead_letters

    def tidy(self) -> None:
        """Drop first parts of which nothing is left, when none is under way."""
        while self._parts and not self._parts[0].runs:
            self._parts.popleft()
