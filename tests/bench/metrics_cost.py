"""The CPU cost of the metrics per event, in the processor and in the sink: `python -m tests.bench.metrics_cost`."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import orjson
from prometheus_client import CollectorRegistry

from pipeline.core.kinds import KINDS, Kind
from pipeline.core.outcomes import DropReason, RejectReason
from pipeline.metrics.delivery import AcceptedFlush, AnswerClass, DeliveryMetrics
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.metrics.rules import RulesMetrics
from pipeline.sinks.segment import record_check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FETCH: Final = 500
"""Events of a batch; a worker with a backlog reads two thousand at a time."""
FLUSH: Final = 400
ROUNDS: Final = 60
REPEATS: Final = 5
NOW: Final = 1_767_225_600.0
_EVENT: Final = {
    "type": "track",
    "event": "Push Clicked",
    "messageId": "0b0e5c9a-5f0e-4a58-9c0b-1f2d3c4b5a69",
    "userId": "u-1001",
    "properties": {"event_kind": "message.push.clicked", "message_contents": "x" * 300, "url": "https://shop.example"},
    "context": {"integration": {"name": "onesignal"}},
    "integrations": {"All": True},
    "timestamp": "2026-01-01T00:00:00.120Z",
}
_RECORD: Final = orjson.dumps(_EVENT)


class Cost(NamedTuple):
    """CPU per event, also as a multiple of parsing a record as JSON, measured in turns."""

    microseconds: float
    parses: float


def main() -> None:
    """Measure and print."""
    for name, cost in costs().items():
        print(f"{name:<40} {cost.microseconds:6.3f} µs per event, {cost.parses:.2f} x parsing a record")


def costs() -> dict[str, Cost]:
    """Measure processor and sink."""
    check, check_without = _checks()
    found = _in_turns(
        {
            "processor": (_processor(), FETCH),
            "sink": (_sink(), FLUSH),
            "check": (check, FLUSH),
            "check without the time": (check_without, FLUSH),
            "parse": (_parse, FLUSH),
        }
    )
    sink = found["sink"] + found["check"] - found["check without the time"]
    return {
        f"processor, batches of {FETCH}": Cost(found["processor"], found["processor"] / found["parse"]),
        f"sink, flushes of {FLUSH}": Cost(sink, sink / found["parse"]),
    }


def _processor() -> Callable[[], None]:
    registry = CollectorRegistry()
    metrics, rules = ProcessorMetrics(registry, destination="segment"), RulesMetrics(registry, destination="segment")
    kinds = list(KINDS.values())[:12]
    forwarded: Counter[Kind] = Counter(dict.fromkeys(kinds[:8], 10))
    dropped: Counter[tuple[Kind | None, DropReason]] = Counter({(kind, DropReason.RULE): 30 for kind in kinds[6:]})
    rejected: Counter[tuple[Kind | None, RejectReason]] = Counter({(None, RejectReason.NOT_JSON): 3})

    def batch() -> None:
        metrics.received(FETCH)
        metrics.settled(messages=FETCH, forwarded=forwarded, dropped=dropped, rejected=rejected)
        metrics.foreign_keys(3)
        rules.decided({"a": 3, "b": 5}, {"c": 9}, {"d": 1})

    return batch


def _sink() -> Callable[[], None]:
    metrics = DeliveryMetrics(CollectorRegistry(), destination="segment")
    times = [NOW - number % 97 / 7 for number in range(FLUSH)]

    def flush() -> None:
        metrics.received(FLUSH)
        metrics.attempted(AnswerClass.ACCEPTED, seconds=0.1)
        accepted = AcceptedFlush(
            records=FLUSH,
            body_bytes=470_000,
            budget_bytes=475_000,
            budget_records=2_500,
            attempts=1,
            duration_seconds=0.1,
            event_times=times,
        )
        metrics.accepted(accepted, now=NOW)

    return flush


def _checks() -> tuple[Callable[[], None], Callable[[], None]]:
    """Return the check of records, which looks at their time, and one that does not."""
    without = msgspec.defstruct(
        "WithoutTime",
        [(field.encode_name, field.type) for field in msgspec.structs.fields(record_check._TrackCall)][:3],
        frozen=True,
        gc=False,
    )
    decode = msgspec.json.Decoder(without).decode

    def check_without() -> None:
        for _ in range(FLUSH):
            call = decode(_RECORD)
            assert call is not None

    def check() -> None:
        for _ in range(FLUSH):
            call = record_check._decode_track_call(_RECORD)
            if call.timestamp is not None:
                call.timestamp.timestamp()

    return check, check_without


def _parse() -> None:
    for _ in range(FLUSH):
        orjson.loads(_RECORD)


def _in_turns(functions: Mapping[str, tuple[Callable[[], None], int]]) -> dict[str, float]:
    """Return microseconds per event of several functions with their number of events, in the best of many rounds."""
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(ROUNDS):
        for name, (function, events) in functions.items():
            started = time.process_time()
            for _ in range(REPEATS):
                function()
            best[name] = min(best[name], (time.process_time() - started) / REPEATS / events * 1e6)
    return best


if __name__ == "__main__":
    main()
