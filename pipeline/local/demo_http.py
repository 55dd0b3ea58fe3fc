"""Read the stand-in's ledger and the workers' counters over HTTP."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

import aiohttp
import orjson
from prometheus_client.parser import text_string_to_metric_families

from pipeline.local.demo_accounts import Arrivals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_RETRY_SECONDS: Final = 0.1
_LONGEST_LINE_BYTES: Final = 1024 * 1024
_OK: Final = 200


async def read_arrivals(stand_in: str, *, user_prefix: str = "") -> Arrivals:
    """Read a stand-in's whole ledger. ``user_prefix`` is removed from users."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT, read_bufsize=_LONGEST_LINE_BYTES) as session:
        async with session.get(f"{stand_in}/ledger", raise_for_status=True) as answer:
            summary = orjson.loads(await answer.read())
        users: dict[str, str] = {}
        async with session.get(f"{stand_in}/ledger/records", raise_for_status=True) as answer:
            async for line in answer.content:
                record = orjson.loads(line)
                users[record["message_id"]] = record["user"].removeprefix(user_prefix)
    return Arrivals(
        users=users,
        thrown_away={reason: count for reason, count in summary["discarded"].items() if count},
        faults=summary["faults"],
        requests=summary["requests"],
    )


async def read_counters(ports: Iterable[int]) -> Mapping[str, float]:
    """Return the counters of all workers, each summed over its labels."""
    totals: Counter[str] = Counter()
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        for port in ports:
            async with session.get(f"http://127.0.0.1:{port}/metrics", raise_for_status=True) as answer:
                text = await answer.text()
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    totals[sample.name] += int(sample.value)
    return totals


async def until_ready(port: int) -> None:
    """Wait until a worker reports ready; the caller sets the timeout."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        while not await _is_ready(session, port):  # noqa: ASYNC110 -- another process cannot set an Event of ours
            await asyncio.sleep(_RETRY_SECONDS)


async def _is_ready(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == _OK
    except aiohttp.ClientError:
        return False
