"""The HTTP routes that read the ledger of a stand-in and inject faults."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from pipeline.local.stand_ins.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.local.stand_ins.faults import FaultPlan
    from pipeline.local.stand_ins.ledger import Ledger

_RECORDS_PER_CHUNK: Final = 1000


class _Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    fault: Fault
    times: int | None = 1


class _Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seed: int
    rate: float


class Control:
    """The routes of a stand-in that are not its destination's."""

    def __init__(self, *, ledger: Ledger[Any, Any], faults: FaultPlan, resume: Callable[[], None]) -> None:
        self._ledger = ledger
        self._faults = faults
        self._call_resume = resume

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes to that of the destination."""
        router.add_get("/ledger", self._show_ledger)
        router.add_get("/ledger/records", self._show_records)
        router.add_post("/control/faults", self._order)
        router.add_delete("/control/faults", self._clear)
        router.add_post("/control/schedule", self._schedule)
        router.add_post("/control/resume", self._resume)

    async def _show_ledger(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self._ledger.summary()), content_type="application/json")

    async def _show_records(self, request: web.Request) -> web.StreamResponse:
        try:
            start = max(0, int(request.query.get("from", "0")))
        except ValueError:
            return web.Response(status=400, text="from: the number of records to skip")
        records = list(itertools.islice(self._ledger.accepted.items(), start, None))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for first in range(0, len(records), _RECORDS_PER_CHUNK):
            chunk = records[first : first + _RECORDS_PER_CHUNK]
            lines = msgspec.json.Encoder().encode_lines([{"message_id": key, "user": user} for key, user in chunk])
            await response.write(lines)
        await response.write_eof()
        return response

    async def _order(self, request: web.Request) -> web.Response:
        try:
            order = msgspec.json.decode(await request.read(), type=_Order)
            self._faults.order(order.fault, times=order.times)
        except ValueError as error:  # also msgspec's
            return web.Response(status=400, text=str(error))
        return web.Response(status=204)

    async def _clear(self, _: web.Request) -> web.Response:
        self._faults.clear()
        return web.Response(status=204)

    async def _schedule(self, request: web.Request) -> web.Response:
        try:
            schedule = msgspec.json.decode(await request.read(), type=_Schedule)
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=str(error))
        self._faults.schedule(seed=schedule.seed, rate=schedule.rate)
        return web.Response(status=204)

    async def _resume(self, _: web.Request) -> web.Response:
        self._call_resume()
        return web.Response(status=204)
