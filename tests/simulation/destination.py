"""A scripted destination: it accepts, refuses, does not answer, and accepts requests that have timed out.

It is Segment, Mixpanel, or the destination that lives in the tests alone. The answers of the last two may accept in
part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from pipeline.sinks.mixpanel.api import MixpanelApi
from pipeline.sinks.segment.api import SegmentApi
from tests.fakes.array_api import ArrayApi, answer
from tests.fakes.mixpanel import in_mixpanels_words, refusal, row, success
from tests.fakes.mixpanel import options as mixpanel_options
from tests.fakes.segment import options
from tests.simulation.broker import POISON
from tests.simulation.scenario import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.delivery.api import Api
    from tests.simulation.broker import Sender
    from tests.simulation.promises import Promises
    from tests.simulation.scenario import Setup


@dataclass(slots=True, eq=False, kw_only=True)
class Request:
    """A request under way. ``response`` is None until it has come back; its sender may be gone."""

    sender: Sender
    lane: str
    values: Sequence[bytes]
    body_bytes: int
    deadline: float
    response: Response | None = None
    abandoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a request: whether its records are accepted, and the response (None: none yet)."""

    name: str
    takes: bool
    response: Response | None


OK: Final = Outcome(name="200", takes=True, response=Answered(status=200))
_LOST: Final = (
    Outcome(name="reset, accepted", takes=True, response=Unanswered(failure=Failure.CONNECTION_LOST)),
    Outcome(name="no answer yet, accepted", takes=True, response=None),
)
_FOR_THE_KEY: Final = Outcome(
    name="400 for the key", takes=False, response=Answered(status=400, body=b"Invalid write key")
)
"""Segment's alone: to the others a 400 without rows is about the records, or not understood."""
_OUTCOMES: Final = (
    *(OK,) * 24,
    Outcome(name="202", takes=True, response=Answered(status=202)),
    Outcome(name="200, body cut", takes=True, response=Answered(status=200, whole=False)),
    Outcome(name="429, Retry-After: 7", takes=False, response=Answered(status=429, retry_after="7")),
    Outcome(name="429, Retry-After: 99999", takes=False, response=Answered(status=429, retry_after="99999")),
    Outcome(name="429", takes=False, response=Answered(status=429)),
    Outcome(name="500", takes=False, response=Answered(status=500)),
    Outcome(name="503", takes=False, response=Answered(status=503)),
    Outcome(name="503, accepted", takes=True, response=Answered(status=503)),
    Outcome(name="401", takes=False, response=Answered(status=401)),
    Outcome(name="302", takes=False, response=Answered(status=302)),
    _FOR_THE_KEY,
    Outcome(name="not connected", takes=False, response=Unanswered(failure=Failure.NOT_CONNECTED)),
    Outcome(name="reset, not accepted", takes=False, response=Unanswered(failure=Failure.CONNECTION_LOST)),
    *_LOST,
)
_LOSSY_OUTCOMES: Final = (*_OUTCOMES, *_LOST * 10)
_REFUSED: Final = Outcome(name="400", takes=False, response=Answered(status=400, body=b"malformed event"))
_TOO_LARGE: Final = Outcome(name="413", takes=False, response=Answered(status=413))


_Rows: TypeAlias = "Callable[[int, int], Sequence[int]]"
"""The indexes that an answer names in addition to those that must be refused, from the number of records; random."""

_IN_PART: Final[Sequence[tuple[str, _Rows]]] = (
    ("none", lambda _count, _chance: ()),
    ("the first", lambda _count, _chance: (0,)),
    ("the last", lambda count, _chance: (count - 1,)),
    ("one, twice", lambda count, chance: (chance % count,) * 2),
    ("some", lambda count, chance: [index for index in range(count) if chance >> index & 1]),
    ("all", lambda count, _chance: range(count)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialOutcome:
    """An answer that accepts a request in part, and refuses ``rows`` of it.

    ``beyond`` is added to an index, and ``missing`` to the number of accepted records: then the answer contradicts what
    was sent, and is unknown.
    """

    name: str
    rows: _Rows
    beyond: int = 0
    missing: int = 0

    @property
    def contradicts(self) -> bool:
        return bool(self.beyond or self.missing)


_PARTIAL_OUTCOMES: Final = (
    *(PartialOutcome(name=f"{name} refused", rows=rows) for name, rows in _IN_PART),
    PartialOutcome(name="an index beyond the last refused", rows=lambda count, _: (count - 1,), beyond=1),
    PartialOutcome(name="an index before the first refused", rows=lambda _count, _chance: (0,), beyond=-1),
    PartialOutcome(name="one refused, and more accepted", rows=lambda _count, _chance: (0,), missing=-1),
    PartialOutcome(name="fewer accepted than sent", rows=lambda _count, _chance: (), missing=1),
)


def api_of(setup: Setup) -> Api:
    """Build the destination of a scenario, as the sink sees it."""
    own = _APIS[setup.api]()
    own.limits = replace(
        own.limits,
        max_bytes=setup.max_batch_bytes,
        max_records=setup.max_batch_records,
        max_record_bytes=MAX_RECORD_BYTES,
    )
    return own


_APIS: Final[Mapping[str, Callable[[], SegmentApi | ArrayApi | MixpanelApi]]] = {
    "segment": lambda: SegmentApi(options()),
    "array": ArrayApi,
    "mixpanel": lambda: MixpanelApi(mixpanel_options()),
}


def _in_part_by_array(named: Sequence[int], accepted: int) -> Answered:
    return answer(*((index, "refused") for index in named), accepted=accepted)


def _in_part_by_mixpanel(named: Sequence[int], accepted: int) -> Answered:
    return refusal(*map(row, named), imported=accepted) if named else success(accepted)


_IN_PART_BY: Final[Mapping[str, Callable[[Sequence[int], int], Answered]]] = {
    "array": _in_part_by_array,
    "mixpanel": _in_part_by_mixpanel,
}


class Destination:
    """The destination of a scenario, with the requests that are under way to it."""

    def __init__(self, setup: Setup, promises: Promises) -> None:
        self.requests: list[Request] = []
        self._setup = setup
        self._promises = promises

    def answer_somehow(self, request: Request, amount: int) -> Outcome:
        """Answer a request with one of the possible outcomes."""
        if self._setup.api in _IN_PART_BY and amount % 5 == 0:
            return self._accept_in_part(request, _PARTIAL_OUTCOMES[amount // 5 % len(_PARTIAL_OUTCOMES)], amount >> 8)
        outcomes: Sequence[Outcome] = _LOSSY_OUTCOMES if self._setup.lossy else _OUTCOMES
        if self._setup.api != "segment":
            outcomes = [outcome for outcome in outcomes if outcome is not _FOR_THE_KEY]
        return self.answer(request, outcomes[amount % len(outcomes)])

    def answer(self, request: Request, wanted: Outcome) -> Outcome:
        """Answer a request as wanted, unless it must be refused."""
        outcome = self._judged(request, wanted)
        if outcome.takes:
            self._promises.accept(request.values)
        self._respond(request, outcome.response)
        return outcome

    def _accept_in_part(self, request: Request, wanted: PartialOutcome, chance: int) -> Outcome:
        """Accept a request, except for records that are refused at random and those that must be refused."""
        if request.body_bytes > self._setup.destination_max_bytes:
            return self.answer(request, OK)
        values = request.values
        poisoned = [index for index, value in enumerate(values) if POISON in value]
        named = [*wanted.rows(len(values), chance), *poisoned]
        if wanted.contradicts:  # this answer does not show what was really accepted
            accepted = [value for value in values if POISON not in value] if chance & 1 else []
        else:
            accepted = [value for index, value in enumerate(values) if index not in named]
            self._promises.turn_down(values[index] for index in named)
        self._promises.accept(accepted)
        imported = len(values) - len(set(named)) - wanted.missing
        response = _IN_PART_BY[self._setup.api]([index + wanted.beyond for index in named], imported)
        self._respond(request, response)
        return Outcome(name=f"accepted in part, {wanted.name}", takes=True, response=response)

    def _respond(self, request: Request, response: Response | None) -> None:
        if self._setup.api == "mixpanel" and response is not None:
            response = in_mixpanels_words(response, records=len(request.values))
        request.response = response
        request.sender.wake()
        if response is not None or request.abandoned:
            self.requests.remove(request)

    def _judged(self, request: Request, wanted: Outcome) -> Outcome:
        if not wanted.takes:
            return wanted
        if request.body_bytes > self._setup.destination_max_bytes:
            return _TOO_LARGE
        if self._setup.poisoned and any(POISON in value for value in request.values):
            return _REFUSED
        return wanted
