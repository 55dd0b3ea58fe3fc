"""What goes wrong on purpose with ``--faults``: each worker is killed once in mid-stream and started again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.local.demo_children import Children
    from pipeline.local.demo_watch import Snapshot, Watch

FAULT_RATE: Final = 0.08
"""Share of the requests to the stand-in that go wrong."""

_KILL_AT: Final = 0.3
"""Share of the events that have been settled when a worker is killed."""


def _processor_is_in_the_middle(events: int) -> Callable[[Snapshot], bool]:
    return lambda snapshot: sum(snapshot.raw.read.values()) >= _KILL_AT * events


def _sink_is_in_the_middle(events: int) -> Callable[[Snapshot], bool]:
    def is_so(snapshot: Snapshot) -> bool:
        processed = sum(snapshot.raw.read.values())
        records, accepted = sum(snapshot.records.high.values()), sum(snapshot.records.read.values())
        return processed >= _KILL_AT * events and accepted >= _KILL_AT * records

    return is_so


async def kill_each_worker_once(
    children: Children, watch: Watch, *, events: int, processor: str, sink: str, say: Callable[[str], None]
) -> list[str]:
    """Kill and restart both workers, each when it is in the middle of its work; return their names."""

    async def kill(name: str, moment: Callable[[Snapshot], bool]) -> str:
        await watch.until(moment)
        await children.kill_and_restart(name)
        say(f"killed the {name} in mid-stream and started it again; Kafka keeps the dead one in its group for 6 s")
        return name

    return list(
        await asyncio.gather(
            kill(processor, _processor_is_in_the_middle(events)), kill(sink, _sink_is_in_the_middle(events))
        )
    )
