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

from pipeline.local.mixpanel.answers import WRONG_CREDENTIALS, refusal_of, usual
from pipeline.local.mixpanel.judgement import Access, Circumstances, Judgement, judge
from pipeline.local.mixpanel.ledger import HOT_SHARD_EVENTS, Ledger, SeenRequest
from pipeline.local.stand_ins.faults import (
    OF_ANSWERS,
    AnswerStatus,
    CutAnswer,
    Fault,
    FaultPlan,
    RefuseRecords,
    Reset,
    Slow,
    TakeAndDrop,
    Usual,
    WrongNumber,
)
from pipeline.local.stand_ins.server import StandIn, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

PROJECT_TOKEN: Final = "57a4d1157a4d1157a4d1157a4d115000"  # noqa: S105 -- what the stand-in accepts by default

_SCHEDULED: Final[tuple[Fault, ...]] = (
    AnswerStatus(status=429),  # Mixpanel documents no Retry-After
    AnswerStatus(status=429, retry_after="1"),
    AnswerStatus(status=502),
    AnswerStatus(status=503),
    Slow(seconds=0.3),
    Reset(),
    TakeAndDrop(),
    CutAnswer(),
    WrongNumber(),
)


class MixpanelStandIn(StandIn):
    """The server. Code in the same process may use ``ledger`` and ``faults`` at any time."""

    path: ClassVar = "/import"
    ledger: Ledger

    def __init__(
        self,
        *,
        tokens: Collection[str] = (PROJECT_TOKEN,),
        accounts: Mapping[str, str] | None = None,
        wall_clock: Callable[[], float] = time.time,
        hot_shard_events: int = HOT_SHARD_EVENTS,
    ) -> None:
        self._access = Access(tokens=tokens, accounts=accounts or {})
        self._wall_clock = wall_clock
        super().__init__(
            ledger=Ledger(hot_shard_events=hot_shard_events),
            faults=FaultPlan(lambda: _SCHEDULED, of_answers=OF_ANSWERS),
        )

    def judge(self, body: bytes, request: web.Request) -> web.Response:
        """Return Mixpanel's answer, and store what was imported."""
        return self._judged(body, request, self._circumstances(request))

    def usual(self, status: int) -> Usual:
        """Return how Mixpanel, or a server in front of it, refuses a whole request with a status."""
        return usual(status)

    async def fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Answer with a fault."""
        match fault:
            case WrongNumber(difference=difference):
                return _with_wrong_number(await self.answer(request), difference)
            case RefuseRecords(text=text, twice=twice, whole=whole):
                body = await request.read()
                if whole and text.encode() in body:
                    return self._respond(Judgement(status=400, answer=refusal_of(["refused"])), body, request)
                chosen = replace(self._circumstances(request), refuse=text.encode(), twice=twice)
                return self._judged(body, request, chosen)
            case _:
                return await super().fail(request, fault)

    def _judged(self, body: bytes, request: web.Request, circumstances: Circumstances) -> web.Response:
        allowed = self._access.allows(request.headers.get("Authorization"), project_id=request.query.get("project_id"))
        if not allowed:
            return self._respond(Judgement(status=401, answer=WRONG_CREDENTIALS), body, request)
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


def _with_wrong_number(answer: web.Response, difference: int) -> web.Response:
    body: dict[str, object] = orjson.loads(answer.body) if isinstance(answer.body, bytes) else {}
    imported = body.get("num_records_imported")
    if not isinstance(imported, int) or not imported:
        return answer
    return _json(answer.status, body | {"num_records_imported": imported + difference})


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
