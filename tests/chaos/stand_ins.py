"""The destinations in the chaos test: stand-ins whose ledger records every acceptance and its sender."""

from __future__ import annotations

import time
from abc import abstractmethod
from base64 import b64decode
from typing import TYPE_CHECKING, Final

import orjson

from pipeline.local.mixpanel.ledger import Ledger as MixpanelLedger
from pipeline.local.mixpanel.stand_in import MixpanelStandIn
from pipeline.local.segment.ledger import Ledger as SegmentLedger
from pipeline.local.segment.stand_in import SegmentStandIn
from pipeline.local.stand_ins.faults import (
    AnswerStatus,
    CutAnswer,
    Refuse,
    RefuseRecords,
    TakeAndDrop,
    WrongNumber,
)
from pipeline.local.stand_ins.server import StandIn
from tests.chaos.credentials import MOST_WORKERS, project_token, write_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from pipeline.local.mixpanel.ledger import Row
    from pipeline.local.stand_ins.faults import Fault
    from tests.chaos.ledger import Ledger

DEVICE: Final = "$device:"
"""What Mixpanel's id of an anonymous user begins with."""
_REFUSALS: Final = (400, 413)
_ANSWER_LOST: Final = "answer-lost"
_LOSE_THE_ANSWER: Final = (TakeAndDrop, CutAnswer, WrongNumber)
_ONLY_SOME: Final = (AnswerStatus, Refuse, RefuseRecords)
"""Faults that do not affect every request that they are drawn for."""


class _Acceptances:
    """Records in the ledger of the chaos test what the stand-in accepts."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.answered = True
        self.caller = ""
        self.records = 0

    def add(self, message_id: str, user: str) -> None:
        """Count an acceptance, whether it is the first or not."""
        self.records += 1
        self.ledger.accept(message_id, user, answered=self.answered, caller=self.caller)


class _SegmentAcceptances(SegmentLedger):
    def __init__(self, acceptances: _Acceptances) -> None:
        super().__init__()
        self._acceptances = acceptances

    def accept(self, message_id: str, user: str) -> None:
        self._acceptances.add(message_id, user)


class _MixpanelAcceptances(MixpanelLedger):
    def __init__(self, acceptances: _Acceptances) -> None:
        super().__init__()
        self._acceptances = acceptances

    def accept(self, row: Row) -> None:
        super().accept(row)
        self._acceptances.add(row.insert_id, row.user.removeprefix(DEVICE))


class ChaosStandIn(StandIn):
    """A stand-in that knows its callers. ``first_accepted`` has the time of each caller's first accepted record.

    ``affected`` counts the requests that a fault has affected: a fault that affects none proves nothing.
    """

    acceptances: _Acceptances
    first_accepted: dict[str, float]
    affected: int

    def watch(self, ledger: Ledger) -> None:
        """Record in this ledger from now on."""
        self.acceptances = _Acceptances(ledger)
        self.first_accepted = {}
        self.affected = 0

    @abstractmethod
    def ids(self, body: bytes) -> Sequence[str]:
        """Return the ids of the records in a request."""

    @property
    def changed(self) -> int:
        """Return how many ids returned with another content, as far as this destination minds."""
        return 0

    async def answer(self, request: web.Request) -> web.Response:
        await self._receive_whole(request)
        before = self.acceptances.records
        answer = await super().answer(request)
        self._note_first(request, before)
        return answer

    async def answer_status(self, request: web.Request, fault: AnswerStatus) -> web.Response:
        self.affected += 1
        if fault.status in _REFUSALS:
            ids = self.ids(await request.read())
            if len(ids) == 1:
                self.acceptances.ledger.refused_alone(ids[0], caller=_caller(request))
        return await super().answer_status(request, fault)

    async def fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if isinstance(fault, _LOSE_THE_ANSWER):
            request[_ANSWER_LOST] = True
        if not isinstance(fault, _ONLY_SOME):
            self.affected += 1
        return await super().fail(request, fault)

    async def _receive_whole(self, request: web.Request) -> None:
        await request.read()  # from here to the verdict there is no await
        self.acceptances.answered = _ANSWER_LOST not in request
        self.acceptances.caller = _caller(request)

    def _note_first(self, request: web.Request, before: int) -> None:
        if self.acceptances.records > before:
            self.first_accepted.setdefault(_caller(request), time.time())


class ChaosSegment(ChaosStandIn, SegmentStandIn):
    """Segment."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(write_keys=[write_key(number) for number in range(MOST_WORKERS)])
        self.watch(ledger)
        self.ledger = _SegmentAcceptances(self.acceptances)

    def ids(self, body: bytes) -> Sequence[str]:
        return [record["messageId"] for record in orjson.loads(body)["batch"]]


class ChaosMixpanel(ChaosStandIn, MixpanelStandIn):
    """Mixpanel. A partial answer refuses records beside others; they may be accepted late (docs/guarantees.md, 4)."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(tokens=[project_token(number) for number in range(MOST_WORKERS)])
        self.watch(ledger)
        self.ledger = _MixpanelAcceptances(self.acceptances)

    def ids(self, body: bytes) -> Sequence[str]:
        return [record["properties"]["$insert_id"] for record in orjson.loads(body)]

    @property
    def changed(self) -> int:
        return self.ledger.changed.total()

    async def fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if not isinstance(fault, RefuseRecords):
            return await super().fail(request, fault)
        body = await request.read()
        ids = self.ids(body)
        named = [each for each, event in zip(ids, orjson.loads(body), strict=True) if _contains(event, fault.text)]
        self.affected += bool(named)
        for each in named:
            if fault.whole and len(ids) > 1:
                continue  # nothing is in, and no record is named
            if len(named) == len(ids):
                self.acceptances.ledger.refused_alone(each, caller=_caller(request))
            else:
                self.acceptances.ledger.refused_beside_others(each)
        await self._receive_whole(request)
        before = self.acceptances.records
        answer = await super().fail(request, fault)
        self._note_first(request, before)
        return answer


def _contains(event: object, text: str) -> bool:
    return text.encode() in orjson.dumps(event)


def _caller(request: web.Request) -> str:
    """Return the user name of a Basic authorization: at both destinations that is the credential."""
    return b64decode(request.headers["Authorization"].partition(" ")[2]).decode().partition(":")[0]
