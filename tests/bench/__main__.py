"""Measure processor and sink on a real Kafka: ``python -m tests.bench`` (``make bench``).

Without an argument two measurements run: ``speed`` and ``memory``; ``kills`` counts what a SIGKILL costs. Figures go to
``build/bench.json``. A missed bar is printed as MISS and the exit code stays 0, for a busy machine proves nothing; a
run that left work undone is a failure.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from tests.bench.cluster import Cluster
from tests.bench.comparison import compare
from tests.bench.kills import compare_kills
from tests.bench.memory import watch_memory
from tests.bench.runs import RunError
from tests.bench.verdicts import (
    REPORT,
    memory_figures,
    memory_verdicts,
    speed_figures,
    speed_table,
    speed_verdicts,
    write_report,
)
from tests.kafka_server import KafkaServer, KafkaServerError, KafkaUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.verdicts import Verdict


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure processor and sink.")
    parser.add_argument("measurement", nargs="?", choices=("all", "speed", "memory", "kills"), default="all")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each contestant (default: 5)")
    parser.add_argument("--events", type=int, default=200_000, help="events of one run (default: 200000)")
    parser.add_argument("--memory-events", type=int, default=2_000_000, help="events of the memory run")
    options = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    verdicts: list[Verdict] = []
    try:
        with _kafka() as cluster:
            if options.measurement in {"all", "speed"}:
                comparison = compare(cluster, events_per_run=options.events, rounds=options.rounds, tell=console.print)
                write_report(speed_figures(comparison))
                console.print(speed_table(comparison))
                verdicts += speed_verdicts(comparison)
            if options.measurement in {"all", "memory"}:
                memory = watch_memory(cluster, count=options.memory_events, tell=console.print)
                write_report(memory_figures(memory))
                verdicts += memory_verdicts(memory)
            if options.measurement == "kills":
                killed = compare_kills(cluster, tell=console.print)
                write_report({"kills": {name: each.figures() for name, each in killed.items()}})
    except (RunError, KafkaServerError, KafkaUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for verdict in verdicts:
        console.print(str(verdict))
    console.print(
        f"figures: {REPORT}; a missed bar does not fail the command: beside other work (a load above 2 or 3) the same "
        "program takes up to twice the CPU time, and only the ratios hold"
    )
    return 0


@contextmanager
def _kafka() -> Iterator[Cluster]:
    """The cluster that the environment names, or one for this run."""
    address = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if address:
        yield Cluster(address)
        return
    with KafkaServer() as server:
        yield Cluster(server.bootstrap_servers)


if __name__ == "__main__":
    sys.exit(main())
