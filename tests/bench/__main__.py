"""Measure processor and sink on a real Kafka: ``python -m tests.bench`` (``make bench``).

Without an argument two measurements run: ``speed`` and ``memory``. ``kills`` counts what a SIGKILL costs. ``rates``
measures the cost of an event at steady rates (14 minutes), ``scaling`` whether it stays the same with more workers,
partitions and tracked users, ``starts`` the parts of a worker's start. Figures go to ``build/bench.json``. A missed bar
is printed as MISS and the exit code stays 0, since a busy machine proves nothing; a run that did not process everything
or lost an event is a failure.

Two more need no Kafka. ``core --before COMMIT`` compares the cost of `process` now and at a commit. ``fuzz --before
COMMIT`` explains every outcome that differs, and fails if it cannot; ``fuzz --digest`` compares outcomes with a file.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from tests.bench.cluster import Cluster
from tests.bench.core_benchmark import compare_core, core_figures, core_table, core_verdict
from tests.bench.fuzz.digest import check_digest, write_digest
from tests.bench.fuzz.run import BODIES, SEED, fuzz
from tests.bench.measurements import BY_DEFAULT, MEASUREMENTS
from tests.bench.runs import RunError
from tests.bench.verdicts import REPORT, write_report
from tests.bench.versions import VersionError
from tests.kafka_server import KafkaServer, KafkaServerError, KafkaUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from tests.bench.verdicts import Verdict


def main() -> int:
    options = _options()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    try:
        if options.measurement == "core":
            return _core(options, console)
        if options.measurement == "fuzz":
            return _fuzz(options, console)
    except VersionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return _with_kafka(options, console)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure processor, sink and core.")
    parser.add_argument("measurement", nargs="?", choices=("all", *MEASUREMENTS, "core", "fuzz"), default="all")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each contestant (default: 5)")
    parser.add_argument("--events", type=int, default=200_000, help="events of one run (default: 200000)")
    parser.add_argument("--memory-events", type=int, default=2_000_000, help="events of the memory run")
    parser.add_argument(
        "--quick", action="store_true", help="rates, scaling: a few seconds each, to check that everything runs"
    )
    parser.add_argument("--before", metavar="COMMIT", help="core and fuzz: the commit to compare with")
    parser.add_argument("--bodies", type=int, default=BODIES, help=f"fuzz: number of bodies (default: {BODIES})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"fuzz: seed of the bodies (default: {SEED})")
    parser.add_argument("--digest", action="store_true", help="fuzz: compare 100,000 outcomes with the stored digest")
    parser.add_argument("--write-digest", action="store_true", help="fuzz: store the digest of 100,000 outcomes")
    options = parser.parse_args()
    needs_commit = options.measurement == "core" or (
        options.measurement == "fuzz" and not (options.digest or options.write_digest)
    )
    if needs_commit and options.before is None:
        parser.error(f"{options.measurement} needs --before COMMIT")
    return options


def _core(options: argparse.Namespace, console: Console) -> int:
    costs = compare_core(options.before)
    write_report(core_figures(costs))
    console.print(core_table(costs))
    console.print(str(core_verdict(costs)))
    console.print(f"figures: {REPORT}; a missed bar does not fail the command")
    return 0


def _fuzz(options: argparse.Namespace, console: Console) -> int:
    def tell(text: str | Table) -> None:
        console.print(text, markup=False, soft_wrap=isinstance(text, str))

    if options.write_digest:
        write_digest(tell)
        return 0
    if options.digest:
        return 0 if check_digest(tell) else 1
    return 0 if fuzz(options.before, bodies=options.bodies, seed=options.seed, tell=tell) else 1


def _with_kafka(options: argparse.Namespace, console: Console) -> int:
    verdicts: list[Verdict] = []
    quick = options.quick

    def tell(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    try:
        with _kafka() as cluster:
            for name in BY_DEFAULT if options.measurement == "all" else (options.measurement,):
                found = MEASUREMENTS[name](cluster, options, tell)
                write_report({f"quick {key}": each for key, each in found.figures.items()} if quick else found.figures)
                for table in found.tables:
                    console.print(table)
                verdicts += found.verdicts
    except (RunError, KafkaServerError, KafkaUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for verdict in verdicts:
        console.print(str(verdict))
    console.print(
        f"figures: {REPORT}; a missed bar does not fail the command: on a busy machine (a load above 2 or 3) the "
        "same program takes up to twice the CPU time, and only the ratios are valid"
    )
    return 0


@contextmanager
def _kafka() -> Iterator[Cluster]:
    """Return the cluster that the environment names, or one for this run."""
    address = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if address:
        yield Cluster(address)
        return
    with KafkaServer() as server:
        yield Cluster(server.bootstrap_servers, broker_process_id=server.process_id)


if __name__ == "__main__":
    sys.exit(main())
