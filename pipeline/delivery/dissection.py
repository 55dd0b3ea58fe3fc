"""Dissect a refused request batch, in order, until each record at fault is alone. No I/O, no clock.

The parts that are still to be sent form a queue, and only the first part can be in flight. A part that is refused is
replaced by smaller parts. So records are sent in order, and accepted records do not wait for refused ones. Verdicts are
collected, and no dead letter is written before the last verdict. A verdict can be withdrawn (`rejoin`) until a later
record was, or may have been, accepted. After that, resending would break the order. So the breaker is asked after each
verdict, about the request batch as a whole, and the dead letters that it allows are reserved.

An answer may also accept some records of a body and refuse others. Then the breaker is asked once about all refused
records. If it agrees, their verdicts are final (`confirm`). If not, they are withdrawn and sent again; a record that is
accepted then is out of order.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from pipeline.delivery.letters import letter_for
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.delivery.request_batch import BatchInHand, RequestBatch, Run

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from enum import StrEnum

    from pipeline.core.breaker import Breaker
    from pipeline.core.messages import Partition
    from pipeline.delivery.api import Api
    from pipeline.delivery.decisions import RefusedRecord
    from pipeline.kafka.dead_letters import DeadLetter

NOTHING: Final = RequestBatch(runs=())
HALVES: Final = 2
"""For a request that was too large. Half of one that was a little too large is small enough."""
QUARTERS: Final = 4
"""For a bad record. One among n is found with 4 log4(n) requests, as with halves; many bad ones with a third less."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Verdict:
    """A record at fault, as a separate run. ``detail`` is what the destination said about it."""

    run: Run
    reason: StrEnum
    detail: str | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class _TooLarge:
    """A body that was refused as too large. ``records`` of it have not passed in smaller bodies yet."""

    body_bytes: int
    records: int


class Dissection:
    """The unsettled rest of one request batch. ``dissected``: a part of it was refused before.

    ``cured_bytes`` is the size of the smallest body that was refused as too large and whose records have all passed in
    smaller bodies: it was refused for its size. None while there is none. A record that is too large alone explains
    every refusal before it, so nothing is learned from these.
    """

    def __init__(self, request_batch: RequestBatch, *, api: Api, breaker: Breaker) -> None:
        self.dissected = False
        self.cured_bytes: int | None = None
        self._too_large: list[_TooLarge] = []  # each contains the next, and all of them contain the first part
        self._api = api
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
        """The records to send next, or in flight; empty when each record has a verdict."""
        return self._parts[0] if self._parts else NOTHING

    @property
    def letters(self) -> RequestBatch:
        """The dead letters, including those from before the request, in the order of their offsets."""
        letters: defaultdict[BatchInHand, list[DeadLetter]] = defaultdict(list)
        for run in self._letters.runs:
            letters[run.source] += run.letters
        for verdict in self._verdicts:
            run = verdict.run
            letter = letter_for(
                self._api, run.messages[0], verdict.reason, record=run.records[0], detail=verdict.detail
            )
            letters[run.source].append(letter)
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
        """How many records would become dead letters with the present verdicts."""
        return len(self._verdicts) + sum(len(run.letters) for run in self._letters.runs)

    @property
    def unsettled(self) -> int:
        """How many records are neither accepted nor stored as dead letters."""
        return self.bad + sum(part.record_count for part in self._parts)

    def may_go_on(self) -> bool:
        """Return whether the breaker allows the dead letters if all other records are accepted; if so, reserve them."""
        records = self._accepted + self.unsettled
        if self.bad > self._reserved and not self._breaker.allows(records=records, bad=self.bad, own=self._reserved):
            return False
        self._reserve(self.bad)
        return True

    def may_be_stored(self) -> bool:
        """Return whether the breaker allows the dead letters. It is asked, and counts the records, only once."""
        if not self._counted and self.may_go_on():
            self._reserve(0)
            self._breaker.note(records=self._accepted + self.bad, bad=self.bad)
            self._counted = True
        return self._counted

    def accepted(self) -> RequestBatch:
        """Called when the first part was accepted. Return it."""
        part = self._parts.popleft()
        self.confirm()
        self._settle(part, part, refused=())
        return part

    def accepted_in_part(self, sent: RequestBatch, refused: Mapping[int, RefusedRecord]) -> RequestBatch:
        """Called when the first part was accepted except for some records. Return the accepted ones.

        Args:
            sent: The first part as it was sent. Partitions may have been forgotten since.
            refused: The refused records, by their index in ``sent``.
        """
        part = self._parts.popleft()
        sources = {id(run.source) for run in part.runs}
        runs = (run for run in sent.except_for(refused).runs if id(run.source) in sources)
        accepted = RequestBatch(runs=tuple(runs))
        singles = ((index, run) for index, run in sent.singles(refused) if id(run.source) in sources)
        verdicts = [
            _Verdict(run=run, reason=refused[index].reason, detail=refused[index].detail) for index, run in singles
        ]
        self._settle(part, accepted, refused=verdicts)
        return accepted

    def confirm(self) -> None:
        """Make every verdict final, because a later record was accepted or the breaker allowed a partial answer."""
        self._final = len(self._verdicts)

    def unanswered(self) -> None:
        """Called when the first part had no clear answer, so it may be accepted already."""
        self.confirm()

    def refused(self, reason: StrEnum) -> None:
        """Called when the first part was refused. Replace it by smaller parts; one record alone gets its verdict."""
        self.dissected = True
        part, too_large = self._parts.popleft(), reason is DeliveryRejectReason.TOO_LARGE
        if part.record_count > 1:
            # After a verdict the fault is a record rather than the size, and quarters find it with fewer requests.
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
        """Cut the first part, which is not in flight, until it is within ``max_bytes`` or one record."""
        while self.part.record_count > 1 and self.part.body_bytes(self._limits) > max_bytes:
            self._parts.extendleft(reversed(self._parts.popleft().pieces(HALVES)))

    def rejoin(self) -> None:
        """Withdraw the verdicts that are not final. Their records and the waiting ones become one part, in order."""
        refused = (verdict.run for verdict in self._verdicts[self._final :])
        waiting = chain.from_iterable(part.runs for part in self._parts)
        self._too_large.clear()
        self._parts = deque([RequestBatch(runs=(*refused, *waiting))])
        del self._verdicts[self._final :]
        self._reserve(min(self._reserved, self.bad))
        self.tidy()

    def carries(self, partitions: Collection[Partition]) -> bool:
        """Return whether a message of these partitions is unsettled."""
        refused = RequestBatch(runs=tuple(verdict.run for verdict in self._verdicts))
        return any(part.carries(partitions) for part in (*self._parts, refused, self._letters))

    def forget(self, partitions: Collection[Partition]) -> None:
        """Remove these partitions. The first part may be in flight, so it stays even if it becomes empty."""
        self._parts = deque(part.without(partitions) for part in self._parts)
        kept = [each.run.source.partition not in partitions for each in self._verdicts]
        self._final = sum(kept[: self._final])
        self._verdicts = [each for each, stays in zip(self._verdicts, kept, strict=True) if stays]
        self._letters = self._letters.without(partitions)
        self._too_large.clear()
        self._reserve(min(self._reserved, self.bad))

    def _settle(self, part: RequestBatch, accepted: RequestBatch, *, refused: Sequence[_Verdict]) -> None:
        """Count the accepted records of the first part. If there are any, the verdicts before it become final."""
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
        """Called when the first part was not too large. Count its records in the larger bodies that were refused."""
        for refused in self._too_large:
            refused.records -= records
        while self._too_large and not self._too_large[-1].records:
            cured = self._too_large.pop().body_bytes
            self.cured_bytes = min(cured, self.cured_bytes or cured)

    def _reserve(self, dead_letters: int) -> None:
        self._breaker.reserve(dead_letters - self._reserved)
        self._reserved = dead_letters

    def tidy(self) -> None:
        """Drop empty parts from the front. Must not be called while a part is in flight."""
        while self._parts and not self._parts[0].runs:
            self._parts.popleft()
