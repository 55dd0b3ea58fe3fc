from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mode import Service

from pipeline.stream.one_loop import ServedInOneLoop


class Served(ServedInOneLoop):
    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.effects: list[str] = []
        self._error = error

    async def on_start(self) -> None:
        if self._error is not None:
            raise self._error
        self.effects.append("started")

    async def on_thread_stop(self) -> None:
        await super().on_thread_stop()
        self.effects.append("stopped")

    @Service.task  # type: ignore[untyped-decorator]
    async def _works(self) -> None:
        self.effects.append("works")
        await asyncio.Event().wait()

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Print nothing."""


async def test_it_starts_works_and_stops_in_the_loop_that_runs() -> None:
    served, neighbour = Served(), asyncio.create_task(asyncio.Event().wait())
    await served.start()
    await asyncio.sleep(0)
    assert await served.call_thread(loop_of) is asyncio.get_running_loop()
    await served.stop()
    assert served.effects == ["started", "works", "stopped"]
    assert not neighbour.done()
    assert asyncio.all_tasks() == {asyncio.current_task(), neighbour}
    neighbour.cancel()


async def test_what_keeps_it_from_starting_is_raised() -> None:
    served = Served(ValueError("no broker"))
    with pytest.raises(ValueError, match="no broker"):
        await served.start()
    await served.stop()


async def loop_of() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()
