"""Interleaved rounds of all contestants on one Kafka: CPU, time and ratios."""

from __future__ import annotations

import os
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.avro_traffic import as_avro, light_registry
from tests.bench.destination_process import light_destination
from tests.bench.runs import Contestant, Run, Topics
from tests.bench.traffic import events, fill, fill_records
from tests.builders import MIXPANEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.cluster import Cluster
    from tests.bench.meter import Measured

_LIKE_SEGMENT = {"PIPELINE_MIXPANEL_GZIP": "false", "PIPELINE_MIXPANEL_MAX_RECORDS_PER_SECOND": "0"}
"""Segment's sink compresses nothing and has no limit on records by default."""
FAUST_SHARE = 20
"""Stock Faust gets this fraction of the events: at a fiftieth of the speed, a run still takes seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One run of each contestant, one right after another."""

    processor: Measured
    handwritten: Measured
    stock_faust: Measured
    avro: Measured
    sink: Measured
    mixpanel_processor: Measured
    mixpanel_sink: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All rounds. A ratio is computed within a round, when the machine was equally busy; the median ratio counts."""

    rounds: Sequence[Round]

    def cpu(self, contestant: Callable[[Round], Measured]) -> float:
        """Return the median CPU microseconds per message."""
        return median(contestant(each).cpu_microseconds_per_message for each in self.rounds)

    def rate(self, contestant: Callable[[Round], Measured]) -> float:
        """Return the median messages per second."""
        return median(contestant(each).messages_per_second for each in self.rounds)

    def cpu_ratio(self, contestant: Callable[[Round], Measured]) -> float:
        """Return the median of the processor's CPU per event against another's; below 1 the processor is cheaper."""
        return median(
            each.processor.cpu_microseconds_per_message / contestant(each).cpu_microseconds_per_message
            for each in self.rounds
        )

    def ratio(self, contestant: Callable[[Round], Measured], other: Callable[[Round], Measured]) -> float:
        """Return the median of one contestant's CPU per message against another's."""
        return median(
            contestant(each).cpu_microseconds_per_message / other(each).cpu_microseconds_per_message
            for each in self.rounds
        )

    def fullness(self, sink: Callable[[Round], Measured]) -> float:
        """Return the median of a sink's mean request against the limit that binds."""
        return median(sink(each).fullness or 0.0 for each in self.rounds)


def compare(cluster: Cluster, *, events_per_run: int, rounds: int, tell: Callable[[str], None]) -> Comparison:
    """Measure all contestants in interleaved rounds.

    Raises:
        RunError: a contestant failed, or did not process everything.
    """
    few = max(1, events_per_run // FAUST_SHARE)
    with (
        cluster.topic("raw") as raw,
        cluster.topic("raw-few") as raw_few,
        cluster.topic("records") as records,
        cluster.topic("mixpanel-records") as mixpanel_records,
        cluster.topic("raw-avro") as raw_avro,
        light_destination() as endpoints,
        light_registry() as registry,
    ):
        fill(cluster.bootstrap_servers, raw, events(events_per_run))
        fill(cluster.bootstrap_servers, raw_few, events(few))
        fill(cluster.bootstrap_servers, raw_avro, as_avro(events(events_per_run)))
        fill_records(cluster.bootstrap_servers, records, events(events_per_run))
        fill_records(cluster.bootstrap_servers, mixpanel_records, events(events_per_run), records=MIXPANEL)
        measured = []
        for number in range(1, rounds + 1):
            measured.append(
                Round(
                    processor=_process(cluster, Contestant.PROCESSOR, raw, events_per_run),
                    handwritten=_process(cluster, Contestant.HANDWRITTEN, raw, events_per_run),
                    stock_faust=_process(cluster, Contestant.STOCK_FAUST, raw_few, few),
                    avro=_process(cluster, Contestant.PROCESSOR, raw_avro, events_per_run, registry),
                    sink=_sink(cluster, Contestant.SINK, records, events_per_run, endpoints),
                    mixpanel_processor=_process(cluster, Contestant.MIXPANEL_PROCESSOR, raw, events_per_run),
                    mixpanel_sink=_sink(
                        cluster, Contestant.MIXPANEL_SINK, mixpanel_records, events_per_run, endpoints | _LIKE_SEGMENT
                    ),
                )
            )
            tell(_line(number, rounds, measured[-1]))
        return Comparison(rounds=measured)


def _process(
    cluster: Cluster, contestant: Contestant, raw: str, messages: int, settings: Mapping[str, str] | None = None
) -> Measured:
    """Run a contestant that does the processor's task; it writes to its own topics."""
    with cluster.topic("out") as records, cluster.topic("letters") as letters:
        topics = Topics(raw=raw, records=records, dead_letters=letters)
        with Run(contestant, cluster, topics, messages=messages, settings=settings) as run:
            return run.measured()


def _sink(cluster: Cluster, sink: Contestant, records: str, messages: int, endpoints: Mapping[str, str]) -> Measured:
    with cluster.topic("letters") as letters:
        topics = Topics(raw="not.read", records=records, dead_letters=letters)
        with Run(sink, cluster, topics, messages=messages, settings=endpoints) as run:
            return run.measured()


def _line(number: int, rounds: int, measured: Round) -> str:
    figures = (
        f"{name} {figure.cpu_microseconds_per_message:.1f} µs"
        for name, figure in (
            ("processor", measured.processor),
            ("hand-written", measured.handwritten),
            ("stock Faust", measured.stock_faust),
            ("Avro in", measured.avro),
            ("sink", measured.sink),
            ("Mixpanel processor", measured.mixpanel_processor),
            ("Mixpanel sink", measured.mixpanel_sink),
        )
    )
    return f"round {number} of {rounds}: {', '.join(figures)} (machine load: {os.getloadavg()[0]:.1f})"
