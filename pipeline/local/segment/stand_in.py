"""The stand-in for Segment: an HTTP server that accepts batches as Segment does, and fails on request.

`python -m pipeline.local.segment.stand_in` runs it in a separate process; it prints its addresses as one JSON line.
`pipeline.local.stand_ins.server` lists its other calls.
"""

from __future__ import annotations

import asyncio
import json
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, ClassVar, Final

import click
from aiohttp import web

from pipeline.local.segment.judgement import judge
from pipeline.local.segment.ledger import Ledger, SeenRequest
from pipeline.local.stand_ins.faults import AnswerStatus, CutAnswer, Fault, FaultPlan, Reset, Slow, TakeAndDrop, Usual
from pipeline.local.stand_ins.server import StandIn, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

WRITE_KEY: Final = "StandInWriteKey00000000000000000"
"""The key that the stand-in accepts by default."""
_SUCCESS: Final = '{"success":true}'
_FAILURE: Final = '{"success":false}'


def _scheduled_faults(now: float) -> tuple[Fault, ...]:
    """Return faults from which a client recovers within seconds. ``now`` is in seconds since the epoch."""
    return (
        AnswerStatus(status=429, retry_after="1"),
        AnswerStatus(status=429, retry_after=formatdate(now + 1, usegmt=True)),
        AnswerStatus(status=429, retry_after="soon"),
        AnswerStatus(status=500),
        AnswerStatus(status=503),
        Slow(seconds=0.3),
        Reset(),
        TakeAndDrop(),
        CutAnswer(),
    )


class SegmentStandIn(StandIn):
    """The server. Code in the same process may use ``ledger`` and ``faults`` at any time."""

    path: ClassVar = "/v1/batch"
    ledger: Ledger

    def __init__(
        self, *, write_keys: Collection[str] = (WRITE_KEY,), wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = frozenset(write_keys)
        super().__init__(ledger=Ledger(), faults=FaultPlan(lambda: _scheduled_faults(wall_clock())))

    def judge(self, body: bytes, request: web.Request) -> web.Response:
        """Return Segment's answer, and store what was accepted."""
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
        refused = json.dumps({"success": False, "message": judgement.message})
        text = refused if judgement.message else _SUCCESS
        return web.Response(status=judgement.status, text=text, content_type="application/json")

    def usual(self, status: int) -> Usual:
        """Return the body of an answer that refuses a whole batch."""
        del status  # Segment's own code is in the status alone
        return Usual(_FAILURE)


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
    stand_in = SegmentStandIn(write_keys=write_keys)
    await serve(stand_in, host=host, port=port, fault_seed=fault_seed, fault_rate=fault_rate)


if __name__ == "__main__":
    main()
