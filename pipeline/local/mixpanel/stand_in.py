"""The stand-in for Mixpanel: an HTTP server that imports events as Mixpanel does, and fails on request.

`python -m pipeline.local.mixpanel.stand_in` runs it in a separate process; it prints its addresses as one JSON line.
`pipeline.local.stand_ins.server` lists its other calls.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

import click
import orjson
from aiohttp import web

from pipeline.local.mixpanel.judgement import (
    Access,
    Circumstances,
    Judgement,
    judge,
    success,
    whole_refusal,
)
from pipeline.local.mixpanel.ledger import HOT_SHARD_EVENTS, Ledger, SeenRequest
from pipeline.local.stand_ins.faults import (
    AnswerStatus,
    CutAnswer,
    Fault,
    FaultPlan,
    RefuseRecords,
    Reset,
    Slow,
    TakeAndDrop,
    WrongNumber,
)
from pipeline.local.stand_ins.server import StandIn, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

PROJECT_TOKEN: Final = "57a4d1157a4d1157a4d1157a4d115000"  # noqa: S105 -- what the stand-in accepts by default
PROXY_TEXT: Final = "upstream connect error or disconnect/reset before headers"
THROTTLED: Final = '{"code":429,"error":"Project exceeded rate limits.","status":"Too Many Requests"}'
EDGE_PAGE: Final = "<html><head><title>403 Forbidden</title></head></html>"

PROXY_AWAY: Final = AnswerStatus(status=503, body=PROXY_TEXT, content_type="text/plain")
"""What a proxy in front of Mixpanel answers: text and no JSON."""
BLOCKED: Final = AnswerStatus(status=403, body=EDGE_PAGE, content_type="text/html")
"""What Mixpanel's edge answers to a network that it blocks."""
RATE_LIMITED: Final = AnswerStatus(status=429, body=THROTTLED)
"""Mixpanel documents no `Retry-After`."""

_SCHEDULED: Final[tuple[Fault, ...]] = (
    RATE_LIMITED,
    AnswerStatus(status=429, body=THROTTLED, retry_after="1"),
    AnswerStatus(status=502, body=PROXY_TEXT, content_type="text/plain"),
    PROXY_AWAY,
    Slow(seconds=0.3),
    Reset(),
    TakeAndDrop(),
    CutAnswer(),
    WrongNumber(),
)


class MixpanelStandIn(StandIn):
    """The server. Code in the same process may use ``ledger`` and ``faults`` at any time."""

    path: ClassVar = "/import"

    def __init__(
        self,
        *,
        tokens: Collection[str] = (PROJECT_TOKEN,),
        accounts: Mapping[str, str] | None = None,
        wall_clock: Callable[[], float] = time.time,
        hot_shard_events: int = HOT_SHARD_EVENTS,
    ) -> None:
        self.ledger = Ledger(hot_shard_events=hot_shard_events)
        self._access = Access(tokens=tokens, accounts=accounts or {})
        self._wall_clock = wall_clock
        super().__init__(ledger=self.ledger, faults=FaultPlan(lambda: _SCHEDULED))

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as Mixpanel does, also to a body that cannot be decompressed."""
        try:
            return await super().answer(request)
        except web.RequestPayloadError:
            return self._respond(whole_refusal("the request body cannot be decompressed"), b"", request)

    def judge(self, body: bytes, request: web.Request) -> web.Response:
        """Return Mixpanel's answer, and store what was imported."""
        return self._judged(body, request, self._circumstances(request))

    def refusal(self, status: int) -> str:
        """Return the body of an answer that refuses a whole request."""
        return orjson.dumps({"code": status, "error": "refused", "num_records_imported": 0}).decode()

    async def fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Answer with a fault."""
        match fault:
            case WrongNumber(difference=difference):
                answer = await self.answer(request)
                imported = self.ledger.requests[-1].records
                return answer if answer.status != web.HTTPOk.status_code else _json(200, success(imported + difference))
            case RefuseRecords(text=text, twice=twice, whole=whole):
                body = await request.read()
                if whole and text.encode() in body:
                    return self._respond(whole_refusal("refused", listed=["refused"]), body, request)
                chosen = replace(self._circumstances(request), refuse=text.encode(), twice=twice)
                return self._judged(body, request, chosen)
            case _:
                return await super().fail(request, fault)

    def _judged(self, body: bytes, request: web.Request, circumstances: Circumstances) -> web.Response:
        allowed = self._access.allows(request.headers.get("Authorization"), project_id=request.query.get("project_id"))
        if not allowed:
            answer = {"code": 401, "error": "Invalid credentials", "status": "Unauthorized"}
            return self._respond(Judgement(status=401, answer=answer), body, request)
        return self._respond(judge(body, circumstances, self.ledger), body, request)

    def _circumstances(self, request: web.Request) -> Circumstances:
        strict = request.query.get("strict", "1") != "0"
        return Circumstances(now=self._wall_clock(), sender=request.remote or "", strict=strict)

    def _respond(self, judgement: Judgement, body: bytes, request: web.Request) -> web.Response:
        self.ledger.see(
            SeenRequest(
                status=judgement.status,
                size=len(body),
                records=judgement.records,
                encoding=request.headers.get("Content-Encoding"),
                integration=request.headers.get("X-Mixpanel-Integration-ID"),
            )
        )
        return _json(judgement.status, judgement.answer)


def _json(status: int, answer: Mapping[str, object]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(answer), content_type="application/json")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default=True, help="0 chooses a free port.")
@click.option("--token", "tokens", multiple=True, default=(PROJECT_TOKEN,), help="A project token that is accepted.")
@click.option("--fault-seed", default=0, show_default=True)
@click.option("--fault-rate", default=0.0, show_default=True, help="Share of the requests that fail.")
def main(host: str, port: int, tokens: tuple[str, ...], fault_seed: int, fault_rate: float) -> None:
    """Run the stand-in until SIGINT or SIGTERM."""
    asyncio.run(_serve(host, port, tokens=tokens, fault_seed=fault_seed, fault_rate=fault_rate))


async def _serve(host: str, port: int, *, tokens: tuple[str, ...], fault_seed: int, fault_rate: float) -> None:
    await serve(MixpanelStandIn(tokens=tokens), host=host, port=port, fault_seed=fault_seed, fault_rate=fault_rate)


if __name__ == "__main__":
    main()
