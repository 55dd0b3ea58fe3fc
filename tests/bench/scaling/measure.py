"""The whole run: three comparisons in a backlog, two of them also for the sink, and partitions at a steady rate."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from pipeline.kafka.partitioner import partition_for
from tests.bench.destination_process import light_destination
from tests.bench.progress import Progress
from tests.bench.rates.contestants import measure_pipeline
from tests.bench.rates.figures import repeated_text
from tests.bench.rates.stage import PARTITIONS
from tests.bench.restore_process import connection_to
from tests.bench.scaling.figures import Comparison, Scaling
from tests.bench.scaling.side import Plan, side
from tests.bench.tracked_marks import SECRET, write_marks
from tests.bench.traffic import events, record_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.cluster import Cluster
    from tests.bench.scaling.sizes import Sizes
    from tests.bench.traffic import Written

RATE: Final = 1_000
_COMPACTED: Final = {"cleanup.policy": "compact"}


def measure_scaling(cluster: Cluster, sizes: Sizes, *, tell: Callable[[str], None]) -> Scaling:
    """Measure everything.

    Raises:
        RunError: a worker failed, or an event is missing.
    """
    comparisons: list[Comparison] = []
    pairs = list(events(sizes.events))
    progress = Progress(list(_steps(sizes)), tell)
    with light_destination() as destination:
        for role in ("processor", "segment-sink"):
            backlog: list[Written] = (
                [(*pair, ()) for pair in pairs] if role == "processor" else list(record_messages(pairs))
            )
            one = Plan(f"{role}, one worker", role, 1, PARTITIONS, backlog, destination)
            progress.begin(f"{role}: workers")
            comparisons.append(
                _compared(
                    cluster,
                    sizes,
                    one,
                    one._replace(workers=2),
                    name=f"{role}: 2 workers relative to 1",
                    key=f"{role}_workers",
                )
            )
            tell(str(comparisons[-1]))
            progress.begin(f"{role}: partitions")
            narrow, wide = one._replace(partitions=1), one._replace(partitions=64)
            comparisons.append(
                _compared(
                    cluster, sizes, narrow, wide, name=f"{role}: 64 partitions relative to 1", key=f"{role}_partitions"
                )
            )
            tell(str(comparisons[-1]))
        progress.begin("processor: tracked users")
        comparisons.append(_tracked(cluster, sizes))
        tell(str(comparisons[-1]))
    by_partitions = {}
    for partitions in sizes.partitions:
        progress.begin(f"{RATE:,}/s: {partitions} partitions")
        by_partitions[partitions] = measure_pipeline(
            cluster,
            RATE,
            warm=sizes.warm,
            parts=sizes.parts,
            part_seconds=sizes.part_seconds,
            partitions=partitions,
        )
        if repeated := by_partitions[partitions].repeated:
            tell(f"{partitions} partitions: {repeated_text({'processor and sink': repeated})}")
    return Scaling(comparisons=comparisons, rate=RATE, by_partitions=by_partitions)


def _steps(sizes: Sizes) -> Iterator[tuple[str, float]]:
    drained = 20 + sizes.rounds * sizes.events * 80e-6
    for role in ("processor", "segment-sink"):
        yield f"{role}: workers", drained
        yield f"{role}: partitions", drained
    yield "processor: tracked users", drained + sizes.many_users * 25e-6
    for partitions in sizes.partitions:
        yield f"{RATE:,}/s: {partitions} partitions", sizes.warm + sizes.parts * sizes.part_seconds + 10


def _compared(cluster: Cluster, sizes: Sizes, few: Plan, many: Plan, *, name: str, key: str) -> Comparison:
    """Let both sides drain a backlog in each round, after a first one for warm-up."""
    with side(cluster, few) as one, side(cluster, many) as other:
        one.drain()
        other.drain()
        rounds = [(one.drain(), other.drain()) for _ in range(sizes.rounds)]
    return Comparison(name=name, key=key, few=[found for found, _ in rounds], many=[found for _, found in rounds])


def _tracked(cluster: Cluster, sizes: Sizes) -> Comparison:
    with ExitStack() as stack:
        few, many = (
            stack.enter_context(_with_tracked_users(cluster, sizes, users))
            for users in (sizes.few_users, sizes.many_users)
        )
        name = f"processor: {sizes.many_users:,} tracked users relative to {sizes.few_users:,}"
        return _compared(cluster, sizes, few, many, name=name, key="processor_tracked_users")


@contextmanager
def _with_tracked_users(cluster: Cluster, sizes: Sizes, users: int) -> Iterator[Plan]:
    """Store that this many users are tracked, and return events of all of them.

    The marks are those of a former raw topic: their users count as tracked from the start, so no event marks a user,
    and the only difference between the sides is the lookup.
    """
    with cluster.topic("tracked", partitions=PARTITIONS, configuration=_COMPACTED) as topic:
        shares: list[list[tuple[bytes, int]]] = [[] for _ in range(PARTITIONS)]
        for number in range(users):
            key = b"user-%08d" % number
            shares[partition_for(key, PARTITIONS)].append((key, 0))
        asyncio.run(write_marks(connection_to(cluster.bootstrap_servers), topic, shares))
        shares.clear()
        backlog: list[Written] = [(*pair, ()) for pair in events(sizes.events, users=users)]
        settings = {"PIPELINE_TRACKED_USERS_SECRET": SECRET, "PIPELINE_TRACKED_USERS_TOPIC": topic}
        yield Plan(f"processor, {users:,} tracked users", "processor", 1, PARTITIONS, backlog, settings)
