"""The measurements that need a Kafka, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.bench.comparison import compare
from tests.bench.kills import compare_kills
from tests.bench.memory import watch_memory
from tests.bench.rates import lengths
from tests.bench.rates.bars import rates_verdicts
from tests.bench.rates.figures import rates_table
from tests.bench.rates.measure import measure_rates
from tests.bench.scaling import sizes
from tests.bench.scaling.figures import scaling_table, scaling_verdicts
from tests.bench.scaling.measure import measure_scaling
from tests.bench.starts.measure import KILLS, STARTS, measure_starts, starts_tables
from tests.bench.verdicts import (
    kills_verdicts,
    memory_figures,
    memory_verdicts,
    speed_figures,
    speed_table,
    speed_verdicts,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table

    from tests.bench.cluster import Cluster
    from tests.bench.verdicts import Verdict

    Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of a measurement: its part of the report, its tables, and the comparison with its bars."""

    figures: Mapping[str, Any]
    tables: Sequence[Table] = ()
    verdicts: Sequence[Verdict] = ()


def _speed(cluster: Cluster, options: argparse.Namespace, tell: Tell) -> Found:
    comparison = compare(cluster, events_per_run=options.events, rounds=options.rounds, tell=tell)
    return Found(
        figures=speed_figures(comparison), tables=[speed_table(comparison)], verdicts=list(speed_verdicts(comparison))
    )


def _memory(cluster: Cluster, options: argparse.Namespace, tell: Tell) -> Found:
    memory = watch_memory(cluster, count=options.memory_events, tell=tell)
    return Found(figures=memory_figures(memory), verdicts=list(memory_verdicts(memory)))


def _kills(cluster: Cluster, _options: argparse.Namespace, tell: Tell) -> Found:
    killed = compare_kills(cluster, tell=tell)
    return Found(
        figures={"kills": {name: each.figures() for name, each in killed.items()}},
        verdicts=list(kills_verdicts(killed["processor"])),
    )


def _rates(cluster: Cluster, options: argparse.Namespace, tell: Tell) -> Found:
    rates = measure_rates(cluster, lengths.QUICK if options.quick else lengths.FULL, tell=tell)
    return Found(figures={"rates": rates.figures()}, tables=[rates_table(rates)], verdicts=list(rates_verdicts(rates)))


def _scaling(cluster: Cluster, options: argparse.Namespace, tell: Tell) -> Found:
    scaling = measure_scaling(cluster, sizes.QUICK if options.quick else sizes.FULL, tell=tell)
    return Found(
        figures={"scaling": scaling.figures()},
        tables=[scaling_table(scaling)],
        verdicts=list(scaling_verdicts(scaling)),
    )


def _starts(cluster: Cluster, options: argparse.Namespace, tell: Tell) -> Found:
    starts, kills = (1, 1) if options.quick else (STARTS, KILLS)
    found = measure_starts(cluster, starts=starts, kills=kills, tell=tell)
    return Found(figures={"starts": found.figures()}, tables=starts_tables(found))


MEASUREMENTS: Final[Mapping[str, Callable[[Cluster, argparse.Namespace, Tell], Found]]] = {
    "speed": _speed,
    "memory": _memory,
    "kills": _kills,
    "rates": _rates,
    "scaling": _scaling,
    "starts": _starts,
}
BY_DEFAULT: Final = ("speed", "memory")
