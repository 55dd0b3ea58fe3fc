from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from pipeline.metrics.summary import Summary
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, MutableMapping

    Told = list[tuple[float, dict[str, Any]]]


def told(story: Callable[[Summary], Coroutine[None, None, None]], *, fields: tuple[str, ...] = ()) -> Told:
    """Return each line that a story in virtual time made, with the time at which it was written."""
    lines: Told = []

    def keep(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
        lines.append((asyncio.get_running_loop().time(), dict(event)))
        raise structlog.DropEvent

    async def run() -> None:
        await story(Summary("records delivered", fields=fields))

    before = structlog.get_config()
    structlog.configure(processors=[keep])
    try:
        run_virtual(run())
    finally:
        structlog.configure(**before)
    return [(at, {name: value for name, value in line.items() if name != "event"}) for at, line in lines]


def test_a_summary_is_written_at_once_and_then_at_most_every_ten_seconds() -> None:
    async def story(summary: Summary) -> None:
        for _ in range(25):
            summary.count(records=1)
            await asyncio.sleep(1.0)
        await asyncio.sleep(10.0)

    assert told(story) == [
        (0.0, {"records": 1}),
        (10.0, {"records": 9}),
        (20.0, {"records": 10}),
        (30.0, {"records": 5}),
    ]


def test_what_is_counted_after_a_pause_is_written_at_once() -> None:
    async def story(summary: Summary) -> None:
        summary.count(records=1)
        await asyncio.sleep(60.0)
        summary.count(records=2)
        await asyncio.sleep(1.0)

    assert told(story) == [(0.0, {"records": 1}), (60.0, {"records": 2})]


def test_what_is_left_is_written_at_the_end_and_nothing_where_nothing_is() -> None:
    async def story(summary: Summary) -> None:
        summary.count(records=1)
        await asyncio.sleep(1.0)
        summary.count(records=2)
        summary.close()
        summary.close()
        await asyncio.sleep(60.0)

    assert told(story) == [(0.0, {"records": 1}), (1.0, {"records": 2})]


def test_every_field_is_in_every_line() -> None:
    async def story(summary: Summary) -> None:
        summary.count(repeated=1)
        await asyncio.sleep(1.0)
        summary.count(records=2)
        summary.close()

    assert told(story, fields=("records", "repeated")) == [
        (0.0, {"records": 0, "repeated": 1}),
        (1.0, {"records": 2, "repeated": 0}),
    ]
