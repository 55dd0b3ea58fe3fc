"""The faults of a stand-in, requested one by one or drawn from a seeded schedule."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


class Usual(NamedTuple):
    """The body of a destination's answer, and its type."""

    body: str
    content_type: str = "application/json"


class AnswerStatus(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="status"):
    """Answer with a status and accept nothing. ``retry_after`` and ``location`` are the values of those headers.

    Without ``body`` and ``content_type`` the answer is the destination's usual one with that status.
    """

    status: int
    retry_after: str | None = None
    location: str | None = None
    body: str | None = None
    content_type: str | None = None


class Refuse(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="refuse"):
    """Answer as usual, but 400 to a body that contains ``text``, and 413 to a body of more than ``max_bytes``."""

    text: str = ""
    max_bytes: int | None = None

    def status_for(self, body: bytes) -> int | None:
        """Return the status with which a body is refused, or None if it is not."""
        if self.max_bytes is not None and len(body) > self.max_bytes:
            return 413
        return 400 if self.text and self.text.encode() in body else None


class Slow(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="slow"):
    """Answer as usual, but later. ``takes_first``: the records are accepted before the wait."""

    seconds: float
    takes_first: bool = False


class Stall(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="stall"):
    """Answer as usual, after a call of ``/control/resume``."""


class Reset(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="reset"):
    """Reset the connection in the middle of the request's body, and accept nothing."""


class TakeAndDrop(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="take-and-drop"):
    """Accept the records and close the connection without an answer."""


class CutAnswer(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="cut-answer"):
    """Accept the records and reset the connection in the middle of the answer."""


class WrongNumber(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="wrong-number"):
    """Accept the records, and answer that another number of them was accepted. For answers with a number.

    An answer that accepts none is left as it is.
    """

    difference: int = -1


class RefuseRecords(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="refuse-records"):
    """Refuse the records that contain ``text`` and accept the others. For answers that name records.

    ``twice``: each is named twice, for two fields. ``whole``: if there is one, the whole body is refused instead, and
    none is named.
    """

    text: str
    twice: bool = False
    whole: bool = False


OfAnswers: TypeAlias = WrongNumber | RefuseRecords
OF_ANSWERS: Final[frozenset[type[OfAnswers]]] = frozenset({WrongNumber, RefuseRecords})
"""Faults of answers that give a number of records or name records. Not every destination's do."""
Fault: TypeAlias = AnswerStatus | Refuse | Slow | Stall | Reset | TakeAndDrop | CutAnswer | OfAnswers


def kind_of(fault: Fault) -> str:
    """Return the kind of a fault as it is named in JSON."""
    return str(type(fault).__struct_config__.tag)


@dataclass(slots=True)
class _Order:
    fault: Fault
    left: int | None


class FaultPlan:
    """Choose the fault of each request: requested faults come first, then those of the schedule.

    Args:
        scheduled: Returns the faults from which the schedule draws.
        of_answers: The faults of `OF_ANSWERS` that the destination's answers can have.
    """

    def __init__(
        self, scheduled: Callable[[], Sequence[Fault]], *, of_answers: Collection[type[OfAnswers]] = ()
    ) -> None:
        self._scheduled = scheduled
        self._foreign = OF_ANSWERS.difference(of_answers)
        self._orders: deque[_Order] = deque()
        self._random = random.Random(0)
        self._rate = 0.0

    def order(self, fault: Fault, *, times: int | None = 1) -> None:
        """Apply a fault to the next ``times`` requests; None applies it until `clear`.

        Raises:
            ValueError: The destination's answers cannot have this fault.
        """
        if type(fault) in self._foreign:
            raise ValueError(f"this destination's answers cannot have the fault {kind_of(fault)!r}")
        self._orders.append(_Order(fault, times))

    def schedule(self, *, seed: int, rate: float) -> None:
        """Apply faults to a share of all requests; the same seed draws the same faults in the same order."""
        self._random = random.Random(seed)
        self._rate = rate

    def clear(self) -> None:
        """Remove all faults and the schedule."""
        self._orders.clear()
        self._rate = 0.0

    def draw(self) -> Fault | None:
        """Return the fault of the next request, or None."""
        while self._orders:
            order = self._orders[0]
            if order.left is None:
                return order.fault
            if order.left > 0:
                order.left -= 1
                return order.fault
            self._orders.popleft()
        return self._random.choice(self._scheduled()) if self._rate and self._random.random() < self._rate else None
