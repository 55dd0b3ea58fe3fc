"""What the metrics cost for each event, in the processor and in the sink: `python -m tests.bench.metrics_cost`."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
import orjson
from prometheus_client import CollectorRegistry

from pipeline.core.kinds import KINDS, Kind
from pipeline.core.outcomes import DropReason, RejectReason
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.metrics.rules import RulesMetrics
from pipeline.metrics.segment import AcceptedFlush, AnswerClass, SegmentMetrics
from pipeline.sinks.segment import checks

if TYPE_CHECKING:
    from collections.abc import Callable

FETCH: Final = 500
"""Events of a batch; a worker that is behind reads two thousand at once."""
FLUSH: Final = 400
ROUNDS: Final = 15
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


def main() -> None:
    """Measure and print."""
    for name, microseconds in costs().items():
        print(f"{name:<40} {microseconds:6.3f} µs an event")


def costs() -> dict[str, float]:
    """Measure, in microseconds of CPU for each event."""
    return {
        f"processor, batches of {FETCH}": _best(_processor, events=FETCH),
        f"sink, flushes of {FLUSH}": _best(_sink, events=FLUSH) + _reading_the_time(),
    }


def _processor() -> Callable[[], None]:
    registry = CollectorRegistry()
    metrics, rules = ProcessorMetrics(registry), RulesMetrics(registry)
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
    metrics = SegmentMetrics(CollectorRegistry())
    times = [NOW - number % 97 / 7 for number in range(FLUSH)]

    def flush() -> None:
        metrics.received(FLUSH)
        metrics.attempted(AnswerClass.ACCEPTED, seconds=0.1)
        accepted = AcceptedFlush(
            records=FLUSH,
            body_bytes=470_000,
            budget_bytes=475_000,
            attempts=1,
            duration_seconds=0.1,
            event_times=times,
        )
        metrics.accepted(accepted, now=NOW)

    return flush


def _reading_the_time() -> float:
    """Compare the check of a record with one that does not look at its time."""
    without = msgspec.defstruct(
        "WithoutTime",
        [(field.encode_name, field.type) for field in msgspec.structs.fields(checks._TrackCall)][:3],
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
            call = checks._decode_track_call(_RECORD)
            if call.timestamp is not None:
                call.timestamp.timestamp()

    return _best(lambda: check, events=FLUSH) - _best(lambda: check_without, events=FLUSH)


def _best(make: Callable[[], Callable[[], None]], *, events: int) -> float:
    work = make()
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(20):
            work()
        best = min(best, time.process_time() - started)
    return best / 20 / events * 1e6


if __name__ == "__main__":
    main()
