"""Run one contestant at one rate, and return its cost."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import quantiles
from typing import TYPE_CHECKING

from tests.bench.rates.cpu import watch
from tests.bench.rates.figures import Cost, PipelineCost
from tests.bench.rates.stage import ARRIVAL_SECONDS, PARTITIONS, Stage, stop, written_by
from tests.bench.runs import RunError
from tests.bench.written_records import account_of, copies_in, ends_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.bench.cluster import Cluster
    from tests.bench.kafka_streams.program import StreamsProgram
    from tests.bench.rates.cpu import Window
    from tests.bench.rates.lengths import Lengths

ROLES = ("processor", "segment-sink")
_MOST = 2**62
_SLACK_SECONDS = 1.0
"""The feed writes this much longer than the window lasts."""


def measure_pipeline(
    cluster: Cluster,
    rate: int,
    *,
    warm: float,
    parts: int,
    part_seconds: float,
    settings: Mapping[str, str] | None = None,
    partitions: int = PARTITIONS,
) -> PipelineCost:
    """Run processor and sink together at a rate, in front of a light destination.

    Raises:
        RunError: a worker ended, or an event did not arrive.
    """
    with Stage(cluster, partitions=partitions, settings=settings) as stage:
        destination, endpoint = stage.destination()
        workers = stage.workers(ROLES, endpoint)
        feed = stage.feed(rate, warm + parts * part_seconds + _SLACK_SECONDS)
        watched = {name: process.pid for name, process in zip(ROLES, workers, strict=True)}
        if cluster.broker_process_id is not None:
            watched["broker"] = cluster.broker_process_id
        window = watch(watched, warm=warm, parts=parts, part_seconds=part_seconds)
        written = written_by(feed)
        _until_all_are_read(stage, written, *workers)
        stage.until(
            lambda: cluster.committed(stage.sink_group, stage.records) >= cluster.written(stage.records),
            f"not all records of {written:,} events were accepted",
            *workers,
            within=ARRIVAL_SECONDS,
        )
        for process in (*workers, destination):
            stop(process)
        arrived = json.loads(stage.report("destination").read_text())
        if arrived["ids"] != written:
            raise RunError(f"{arrived['ids']:,} of {written:,} events arrived; the logs end with\n{stage.logs()}")
        ages = sorted(age for at, age in arrived["times"] if window.began <= at < window.ended)
        cuts = quantiles(ages, n=100, method="inclusive")
        return PipelineCost(
            processor=_cost(window, "processor", rate),
            sink=_cost(window, "segment-sink", rate),
            p50_ms=cuts[49] * 1000,
            p99_ms=cuts[98] * 1000,
            broker_cores=window.cores("broker") if "broker" in watched else None,
            requests=_requests([stage.report(role) for role in ROLES], window),
            repeated=arrived["repeated"],
        )


def measure_by_hand(cluster: Cluster, rate: int, lengths: Lengths, *, waiting: bool) -> Cost:
    """Run the hand-written contestant at a rate.

    Raises:
        RunError: it ended, or an event has no record.
    """
    with Stage(cluster) as stage:
        arguments = ("--messages", str(_MOST), "--report", str(stage.report("by-hand")))
        options = ("--waiting",) if waiting else ()
        process = stage.start("by-hand", "tests.bench.contestants.handwritten", *arguments, *options)
        return _measured(stage, process, rate, lengths)


def measure_kafka_streams(cluster: Cluster, rate: int, lengths: Lengths, program: StreamsProgram) -> Cost:
    """Run the contestant on Kafka Streams at a rate.

    Raises:
        RunError: it ended, or an event has no record.
    """
    with Stage(cluster) as stage:
        command = program.command(
            cluster.bootstrap_servers, stage.processor_group, stage.raw, stage.records, str(stage.folder / "state")
        )
        return _measured(stage, stage.run("kafka-streams", command), rate, lengths)


def measure_idle(cluster: Cluster, lengths: Lengths) -> dict[str, float]:
    """Return the percentage of a core that each worker uses when idle."""
    with Stage(cluster) as stage:
        nowhere = {"PIPELINE_SEGMENT_ENDPOINT": "http://127.0.0.1:9/v1/batch"}
        workers = stage.workers(ROLES, nowhere)
        window = watch(
            {name: process.pid for name, process in zip(ROLES, workers, strict=True)},
            warm=lengths.idle_warm,
            parts=lengths.idle_parts,
            part_seconds=lengths.part_seconds,
        )
        return {role: window.cores(role) * 100 for role in ROLES}


def _measured(stage: Stage, process: subprocess.Popen[bytes], rate: int, lengths: Lengths) -> Cost:
    feed = stage.feed(rate, lengths.window + _SLACK_SECONDS)
    window = watch(
        {"contestant": process.pid}, warm=lengths.warm, parts=lengths.parts, part_seconds=lengths.part_seconds
    )
    _until_all_are_read(stage, written_by(feed), process)
    found = account_of(copies_in(stage.cluster, stage.records), ends_of(stage.cluster, stage.raw))
    if found.missing:
        raise RunError(f"{found.missing:,} events have no record; the logs end with\n{stage.logs()}")
    return replace(_cost(window, "contestant", rate), repeated=found.repeated)


def _until_all_are_read(stage: Stage, written: int, *processes: subprocess.Popen[bytes]) -> None:
    """Wait until all events are committed, which every contestant does when their records are stored."""
    stage.until(
        lambda: stage.cluster.committed(stage.processor_group, stage.raw) >= written,
        f"not all of {written:,} events became records",
        *processes,
        within=ARRIVAL_SECONDS,
    )


def _cost(window: Window, process: str, rate: int) -> Cost:
    return Cost(microseconds=window.microseconds(process, rate), mean=window.mean_microseconds(process, rate))


def _requests(reports: Sequence[Path], window: Window) -> dict[str, float]:
    """Return the requests to Kafka per second, by kind."""
    found: dict[str, float] = {}
    whole_seconds = max(1, int(window.ended - window.began - 1))
    for report in reports:
        for kind, second, count in json.loads(report.read_text()):
            if window.began <= second < window.began + whole_seconds:
                found[kind] = found.get(kind, 0.0) + count / whole_seconds
    return found
