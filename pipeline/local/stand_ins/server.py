"""The HTTP server that the stand-ins of all destinations share. It answers as the destination, or with a fault.

POST   (the destination's call) as the destination
GET    /ledger                  totals of the ledger
GET    /ledger/records?from=N   accepted records in the order of first acceptance, as JSON lines
POST   /control/faults          {"fault": {"kind": "status", "status": 503}, "times": 3}; times null: until cleared;
                                400 to a fault that the destination's answers cannot have
DELETE /control/faults          remove all faults
POST   /control/schedule        {"seed": 1, "rate": 0.05}
POST   /control/resume          continue stalled requests
"""

from __future__ import annotations

import asyncio
import json
import signal
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiohttp import web

from pipeline.local.stand_ins.control import Control
from pipeline.local.stand_ins.faults import (
    AnswerStatus,
    CutAnswer,
    Fault,
    FaultPlan,
    Refuse,
    RefuseRecords,
    Reset,
    Slow,
    Stall,
    TakeAndDrop,
    WrongNumber,
    kind_of,
)
from pipeline.output.printing import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.local.stand_ins.faults import Usual
    from pipeline.local.stand_ins.ledger import Ledger

_MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_SHUTDOWN_SECONDS: Final = 1.0
_CUT_AFTER_BYTES: Final = 5


class StandIn(ABC):
    """A server in place of a destination. Code in the same process may use ``ledger`` and ``faults`` at any time."""

    path: ClassVar[str]
    """The path of the destination's call."""

    def __init__(self, *, ledger: Ledger[Any, Any], faults: FaultPlan) -> None:
        self.ledger = ledger
        self.faults = faults
        self._arrived = 0
        self._changed = asyncio.Event()
        self._resumed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.address = ""

    @abstractmethod
    def judge(self, body: bytes, request: web.Request) -> web.Response:
        """Return the destination's answer to a request, and store in the ledger what was accepted and seen."""

    @abstractmethod
    def usual(self, status: int) -> Usual:
        """Return how the destination, or a server in front of it, refuses a whole request with a status."""

    @property
    def endpoint(self) -> str:
        """The address of the destination's call."""
        return f"{self.address}{self.path}"

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Start listening; port 0 chooses a free port. Sets ``address`` to scheme, host and port."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_post(self.path, self._receive)
        Control(ledger=self.ledger, faults=self.faults, resume=self.resume).add_routes(app.router)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def arrived(self, requests: int) -> None:
        """Wait until that many requests have arrived, whatever their answers are."""
        await self._until(lambda: self._arrived >= requests)

    async def accepted(self, records: int) -> None:
        """Wait until that many records were accepted; each id counts once."""
        await self._until(lambda: len(self.ledger.accepted) >= records)

    def resume(self) -> None:
        """Continue stalled requests."""
        self._resumed.set()
        self._resumed = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as the destination does."""
        answer = self.judge(await request.read(), request)
        self._notify()
        return answer

    async def fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Answer with a fault. A subclass adds the faults of its destination."""
        match fault:
            case AnswerStatus():
                return await self.answer_status(request, fault)
            case Refuse():
                return await self._refuse(request, fault)
            case Slow() | Stall():
                return await self._answer_late(request, fault)
            case Reset() | TakeAndDrop() | CutAnswer():
                return await self._break_off(request, fault)
            case WrongNumber() | RefuseRecords():
                raise ValueError(f"{type(fault).__name__} is not a fault of this destination")

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        self._arrived += 1
        self._notify()
        fault = self.faults.draw()
        try:
            if fault is None:
                return await self.answer(request)
            self.ledger.faults[kind_of(fault)] += 1
            return await self.fail(request, fault)
        except web.RequestPayloadError:  # it cannot be decompressed
            self.ledger.seen(400, size=0)
            return self._refusal(AnswerStatus(status=400))
        finally:
            self._notify()

    async def _refuse(self, request: web.Request, fault: Refuse) -> web.Response:
        status = fault.status_for(await request.read())
        if status is None:
            return await self.answer(request)
        return await self.answer_status(request, AnswerStatus(status=status))

    async def _break_off(self, request: web.Request, fault: Reset | TakeAndDrop | CutAnswer) -> web.StreamResponse:
        match fault:
            case Reset():
                await request.content.readany()
            case TakeAndDrop():
                await self.answer(request)
            case CutAnswer():
                return await self._cut_answer(request)
        return hang_up(request)

    async def _answer_late(self, request: web.Request, fault: Slow | Stall) -> web.Response:
        if isinstance(fault, Stall):
            await self._resumed.wait()
            return await self.answer(request)
        answer = await self.answer(request) if fault.takes_first else None
        await asyncio.sleep(fault.seconds)
        return answer or await self.answer(request)

    async def answer_status(self, request: web.Request, fault: AnswerStatus) -> web.Response:
        """Answer with a status, and accept nothing."""
        self.ledger.seen(fault.status, size=len(await request.read()))
        return self._refusal(fault)

    def _refusal(self, fault: AnswerStatus) -> web.Response:
        usual = self.usual(fault.status)
        optional = {"Retry-After": fault.retry_after, "Location": fault.location}
        return web.Response(
            status=fault.status,
            text=usual.body if fault.body is None else fault.body,
            headers={name: value for name, value in optional.items() if value is not None},
            content_type=fault.content_type or usual.content_type,
        )

    async def _cut_answer(self, request: web.Request) -> web.StreamResponse:
        whole = await self.answer(request)
        body = whole.body if isinstance(whole.body, bytes) else b""
        answer = web.StreamResponse(status=whole.status, headers={"Content-Length": str(len(body))})
        await answer.prepare(request)
        await answer.write(body[:_CUT_AFTER_BYTES])
        return hang_up(request)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()


def hang_up(request: web.Request) -> web.Response:
    """Reset the connection. The returned answer is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def serve(stand_in: StandIn, *, host: str, port: int, fault_seed: int, fault_rate: float) -> None:
    """Run a stand-in until SIGINT or SIGTERM; its addresses are printed as one JSON line."""
    ended = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    stand_in.faults.schedule(seed=fault_seed, rate=fault_rate)
    await stand_in.start(host=host, port=port)
    say(json.dumps({"address": stand_in.address, "endpoint": stand_in.endpoint}))
    await ended.wait()
    await stand_in.stop()
