"""The stand-in for Segment: an HTTP server that accepts batches as Segment does, and fails on request.

`python -m pipeline.local.segment_stand_in` runs it in a separate process; it prints its addresses as one JSON line.

    POST   /v1/batch                as Segment
    GET    /ledger                  totals of the ledger
    GET    /ledger/records?from=N   accepted records in the order of first acceptance, as JSON lines
    POST   /control/faults          {"fault": {"kind": "status", "status": 503}, "times": 3}; times null: until cleared
    DELETE /control/faults          remove all faults
    POST   /control/schedule        {"seed": 1, "rate": 0.05}
    POST   /control/resume          continue stalled requests
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from typing import TYPE_CHECKING, Final

import click
from aiohttp import web

from pipeline.local.segment_control import SegmentControl
from pipeline.local.segment_faults import (
    AnswerStatus,
    CutAnswer,
    Fault,
    FaultPlan,
    Refuse,
    Reset,
    Slow,
    Stall,
    TakeAndDrop,
    kind_of,
)
from pipeline.local.segment_judgement import judge
from pipeline.local.segment_ledger import Ledger, SeenRequest
from pipeline.output.printing import say

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

WRITE_KEY: Final = "StandInWriteKey00000000000000000"
"""The key that the stand-in accepts by default."""
_MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_SHUTDOWN_SECONDS: Final = 1.0
_SUCCESS: Final = '{"success":true}'


class SegmentStandIn:
    """The server. Code in the same process may use ``ledger`` and ``faults`` at any time."""

    def __init__(
        self, *, write_keys: Collection[str] = (WRITE_KEY,), wall_clock: Callable[[], float] = time.time
    ) -> None:
        self.ledger = Ledger()
        self.faults = FaultPlan(wall_clock=wall_clock)
        self._keys = frozenset(write_keys)
        self._arrived = 0
        self._changed = asyncio.Event()
        self._resumed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.address = ""

    @property
    def endpoint(self) -> str:
        """The address of the batch call."""
        return f"{self.address}/v1/batch"

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Start listening; port 0 chooses a free port. Sets ``address`` to scheme, host and port."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_post("/v1/batch", self._receive_batch)
        SegmentControl(ledger=self.ledger, faults=self.faults, resume=self.resume).add_routes(app.router)
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
        """Wait until that many records were accepted; each messageId counts once."""
        await self._until(lambda: len(self.ledger.accepted) >= records)

    def resume(self) -> None:
        """Continue stalled requests."""
        self._resumed.set()
        self._resumed = asyncio.Event()

    async def _receive_batch(self, request: web.Request) -> web.StreamResponse:
        self._arrived += 1
        self._notify()
        fault = self.faults.draw()
        if fault is None:
            return await self._answer(request)
        self.ledger.faults[kind_of(fault)] += 1
        return await self._fail(request, fault)

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        judgement = judge(body, authorization=request.headers.get("Authorization"), keys=self._keys, ledger=self.ledger)
        self.ledger.see(
            SeenRequest(
                status=judgement.status,
                size=len(body),
                records=judgement.records,
                sent_at=judgement.sent_at,
                encoding=request.headers.get("Content-Encoding"),
            )
        )
        self._notify()
        refused = json.dumps({"success": False, "message": judgement.message})
        text = refused if judgement.message else _SUCCESS
        return web.Response(status=judgement.status, text=text, content_type="application/json")

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        match fault:
            case AnswerStatus():
                return await self._answer_status(request, fault)
            case Refuse():
                return await self._refuse(request, fault)
            case Slow() | Stall():
                return await self._answer_late(request, fault)
            case Reset():
                await request.content.readany()
                return _hang_up(request)
            case TakeAndDrop():
                await self._answer(request)
                return _hang_up(request)
            case CutAnswer():
                return await self._cut_answer(request)

    async def _answer_late(self, request: web.Request, fault: Slow | Stall) -> web.Response:
        if isinstance(fault, Stall):
            await self._resumed.wait()
            return await self._answer(request)
        answer = await self._answer(request) if fault.takes_first else None
        await asyncio.sleep(fault.seconds)
        return answer or await self._answer(request)

    async def _refuse(self, request: web.Request, fault: Refuse) -> web.Response:
        status = fault.status_for(await request.read())
        if status is None:
            return await self._answer(request)
        return await self._answer_status(request, AnswerStatus(status=status))

    async def _answer_status(self, request: web.Request, fault: AnswerStatus) -> web.Response:
        body = await request.read()
        self.ledger.see(SeenRequest(status=fault.status, size=len(body), records=0))
        optional = {"Retry-After": fault.retry_after, "Location": fault.location}
        headers = {name: value for name, value in optional.items() if value is not None}
        return web.Response(status=fault.status, text=fault.body, headers=headers, content_type="application/json")

    async def _cut_answer(self, request: web.Request) -> web.StreamResponse:
        await self._answer(request)
        answer = web.StreamResponse(headers={"Content-Length": str(len(_SUCCESS))})
        await answer.prepare(request)
        await answer.write(_SUCCESS[:5].encode())
        return _hang_up(request)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()


def _hang_up(request: web.Request) -> web.Response:
    """Reset the connection. The returned answer is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default=True, help="0 chooses a free port.")
@click.option("--write-key", "write_keys", multiple=True, default=(WRITE_KEY,), help="A write key that is accepted.")
@click.option("--fault-seed", default=0, show_default=True)
@click.option("--fault-rate", default=0.0, show_default=True, help="Share of the requests that fail.")
def main(host: str, port: int, write_keys: tuple[str, ...], fault_seed: int, fault_rate: float) -> None:
    """Run the stand-in until SIGINT or SIGTERM."""
    asyncio.run(_serve(host, port, write_keys=write_keys, fault_seed=fault_seed, fault_rate=fault_rate))


async def _serve(host: str, port: int, *, write_keys: tuple[str, ...], fault_seed: int, fault_rate: float) -> None:
    ended = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    stand_in = SegmentStandIn(write_keys=write_keys)
    stand_in.faults.schedule(seed=fault_seed, rate=fault_rate)
    await stand_in.start(host=host, port=port)
    say(json.dumps({"address": stand_in.address, "endpoint": stand_in.endpoint}))
    await ended.wait()
    await stand_in.stop()


if __name__ == "__main__":
    main()
