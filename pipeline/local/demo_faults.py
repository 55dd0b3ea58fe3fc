"""The faults of ``--faults``: each worker is killed once while events are in flight, and started again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.local.demo_children import Children
    from pipeline.local.demo_destinations import DemoDestination
    from pipeline.local.demo_watch import Snapshot, Watch

FAULT_RATE: Final = 0.08
"""Share of the requests to each stand-in that fail."""

_KILL_AT: Final = 0.3
"""A worker is killed when this share of the events is settled."""


def _processor_reached_kill_point(events: int) -> Callable[[Snapshot], bool]:
    return lambda snapshot: sum(snapshot.raw.read.values()) >= _KILL_AT * events


def _sink_reached_kill_point(events: int) -> Callable[[Snapshot], bool]:
    def reached(snapshot: Snapshot) -> bool:
        processed = sum(snapshot.raw.read.values())
        records, accepted = sum(snapshot.records.high.values()), sum(snapshot.records.read.values())
        return processed >= _KILL_AT * events and accepted >= _KILL_AT * records

    return reached


async def kill_each_worker_once(
    children: Children, routes: Sequence[tuple[DemoDestination, Watch]], *, events: int, say: Callable[[str], None]
) -> list[str]:
    """Kill and restart every worker, each when it has settled its share of the events; return their names."""

    async def kill(name: str, watch: Watch, moment: Callable[[Snapshot], bool]) -> str:
        await watch.until(moment)
        await children.kill_and_restart(name)
        say(f"killed the {name} and restarted it; Kafka keeps the killed one in its group for 6 s")
        return name

    return list(
        await asyncio.gather(
            *(
                kill(name, watch, moment)
                for destination, watch in routes
                for name, moment in (
                    (destination.processor_name, _processor_reached_kill_point(events)),
                    (destination.sink_name, _sink_reached_kill_point(events)),
                )
            )
        )
    )
