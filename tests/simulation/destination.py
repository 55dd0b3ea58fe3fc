"""A scripted Segment: accepts, refuses, keeps silent, and accepts what nobody waits for any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.delivery.answers import Answered, Failure, Response, Unanswered
from tests.simulation.broker import POISON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.broker import Sender
    from tests.simulation.promises import Promises
    from tests.simulation.scenario import Setup


@dataclass(slots=True, eq=False, kw_only=True)
class Request:
    """A request on its way. ``response`` is None until it has come back; who sent it may be gone."""

    sender: Sender
    lane: str
    values: Sequence[bytes]
    body_bytes: int
    deadline: float
    response: Response | None = None
    abandoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of a request: whether its records are taken, and what comes back (None: nothing, yet)."""

    name: str
    takes: bool
    response: Response | None


OK: Final = Outcome(name="200", takes=True, response=Answered(status=200))
_LOST: Final = (
    Outcome(name="reset, accepted", takes=True, response=Unanswered(failure=Failure.CONNECTION_LOST)),
    Outcome(name="no answer yet, accepted", takes=True, response=None),
)
_OUTCOMES: Final = (
    *(OK,) * 24,
    Outcome(name="202", takes=True, response=Answered(status=202)),
    Outcome(name="429, Retry-After: 7", takes=False, response=Answered(status=429, retry_after="7")),
    Outcome(name="429, Retry-After: 99999", takes=False, response=Answered(status=429, retry_after="99999")),
    Outcome(name="429", takes=False, response=Answered(status=429)),
    Outcome(name="500", takes=False, response=Answered(status=500)),
    Outcome(name="503", takes=False, response=Answered(status=503)),
    Outcome(name="503, accepted", takes=True, response=Answered(status=503)),
    Outcome(name="401", takes=False, response=Answered(status=401)),
    Outcome(name="302", takes=False, response=Answered(status=302)),
    Outcome(name="400 for the key", takes=False, response=Answered(status=400, body=b"Invalid write key")),
    Outcome(name="not connected", takes=False, response=Unanswered(failure=Failure.NOT_CONNECTED)),
    Outcome(name="reset, not accepted", takes=False, response=Unanswered(failure=Failure.CONNECTION_LOST)),
    *_LOST,
)
_LOSSY_OUTCOMES: Final = (*_OUTCOMES, *_LOST * 10)
_REFUSED: Final = Outcome(name="400", takes=False, response=Answered(status=400, body=b"malformed event"))
_TOO_LARGE: Final = Outcome(name="413", takes=False, response=Answered(status=413))


class Destination:
    """Segment, with the requests that are on their way to it."""

    def __init__(self, setup: Setup, promises: Promises) -> None:
        self.requests: list[Request] = []
        self._setup = setup
        self._promises = promises

    def answer_somehow(self, request: Request, amount: int) -> Outcome:
        """Let something become of a request."""
        outcomes = _LOSSY_OUTCOMES if self._setup.lossy else _OUTCOMES
        return self.answer(request, outcomes[amount % len(outcomes)])

    def answer(self, request: Request, wanted: Outcome) -> Outcome:
        """Answer a request as wanted, unless it must be refused."""
        outcome = self._judged(request, wanted)
        if outcome.takes:
            self._promises.accept(request.values)
        request.response = outcome.response
        request.sender.wake()
        if request.response is not None or request.abandoned:
            self.requests.remove(request)
        return outcome

    def _judged(self, request: Request, wanted: Outcome) -> Outcome:
        if not wanted.takes:
            return wanted
        if request.body_bytes > self._setup.destination_max_bytes:
            return _TOO_LARGE
        if self._setup.poisoned and any(POISON in value for value in request.values):
            return _REFUSED
        return wanted
