"""Segment in the chaos test: the stand-in, with a ledger that records every acceptance and its sender."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import orjson

from pipeline.local.segment.judgement import basic_auth_key
from pipeline.local.segment.ledger import Ledger as SegmentLedger
from pipeline.local.segment.stand_in import SegmentStandIn
from pipeline.local.stand_ins.faults import AnswerStatus, CutAnswer, Refuse, TakeAndDrop

if TYPE_CHECKING:
    from aiohttp import web

    from pipeline.local.stand_ins.faults import Fault
    from tests.chaos.ledger import Ledger

_MOST_WORKERS: Final = 1_000
_REFUSALS: Final = (400, 413)
_ANSWER_LOST: Final = "answer-lost"


def write_key(worker: int) -> str:
    """Return a write key for one worker only, so that acceptances show who sent them."""
    return f"ChaosWorker{worker:021d}"


class _Acceptances(SegmentLedger):
    """Records in the ledger of the chaos test what the stand-in accepts."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self.answered = True
        self.caller = ""
        self.records = 0

    def accept(self, message_id: str, user: str) -> None:
        """Count an acceptance, whether it is the first or not."""
        self.records += 1
        self.ledger.accept(message_id, user, answered=self.answered, caller=self.caller)


class ChaosSegment(SegmentStandIn):
    """A stand-in that knows its callers. ``first_accepted`` has the time of each worker's first accepted record.

    ``affected`` counts the requests that a fault has affected: a fault that affects none proves nothing.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(write_keys=[write_key(number) for number in range(_MOST_WORKERS)])
        self.acceptances = self.ledger = _Acceptances(ledger)
        self.first_accepted: dict[str, float] = {}
        self.affected = 0

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()  # from here to the verdict there is no await
        self.acceptances.answered = _ANSWER_LOST not in request
        self.acceptances.caller = _caller(request)
        before = self.acceptances.records
        answer = await super().answer(request)
        if self.acceptances.records > before:
            self.first_accepted.setdefault(_caller(request), time.time())
        return answer

    async def answer_status(self, request: web.Request, fault: AnswerStatus) -> web.Response:
        self.affected += 1
        if fault.status in _REFUSALS:
            records = orjson.loads(await request.read())["batch"]
            if len(records) == 1:
                self.acceptances.ledger.refused_alone(records[0]["messageId"], caller=_caller(request))
        return await super().answer_status(request, fault)

    async def fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if isinstance(fault, TakeAndDrop | CutAnswer):
            request[_ANSWER_LOST] = True
        if not isinstance(fault, AnswerStatus | Refuse):
            self.affected += 1
        return await super().fail(request, fault)


def _caller(request: web.Request) -> str:
    return basic_auth_key(request.headers["Authorization"])
