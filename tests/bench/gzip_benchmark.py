"""Measure gzip for request bodies: zlib against python-isal, on a full request of the benchmark's records.

Run it with ``python -m tests.bench.gzip_benchmark``. Time is CPU per record; the contenders take turns in short rounds
and the median of the rounds counts. Ratio is uncompressed by compressed bytes.
"""

from __future__ import annotations

import gzip
import itertools
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from isal import igzip

from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.delivery.packing import fitting
from pipeline.sinks.segment.body import ENVELOPE_BYTES, build_body
from tests.bench.traffic import events
from tests.builders import SEGMENT
from tests.fakes.destinations import limits_of
from tests.integration.clients import StoredMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ROUNDS: Final = 21
_EVENTS: Final = 1_000


def full_request() -> list[bytes]:
    """Return as many records as one request of the default budget holds."""
    records = []
    for key, value in itertools.islice(events(_EVENTS), _EVENTS):
        message = StoredMessage(topic="", partition=0, offset=0, key=key, value=value, timestamp=0, headers=())
        outcome = process(message, Policy(records=SEGMENT), STATELESS)
        assert isinstance(outcome, Deliver), outcome
        records.append(outcome.record)
    limits = limits_of(max_bytes=475_000, max_records=2_500)
    return records[: fitting(records, used_bytes=ENVELOPE_BYTES, used_records=0, limits=limits)]


def contenders() -> Mapping[str, Callable[[bytes], bytes]]:
    """Return the ways to compress a body."""
    isal = {f"python-isal level {level}": partial(igzip.compress, compresslevel=level, mtime=0) for level in range(4)}
    return {"zlib level 1": partial(gzip.compress, compresslevel=1, mtime=0), **isal}


def main() -> None:
    """Print the table."""
    records = full_request()
    body = build_body(records, sent_at=0.0)
    rounds: dict[str, list[float]] = {name: [] for name in contenders()}
    for _ in range(_ROUNDS):
        for name, compress in contenders().items():
            started = time.process_time_ns()
            compress(body)
            rounds[name].append((time.process_time_ns() - started) / len(records) / 1000)
    print(f"{len(records)} records, {len(body):,} bytes")
    print(f"{'':<22}{'µs/record':>12}{'ratio':>7}")
    for name, compress in contenders().items():
        print(f"{name:<22}{statistics.median(rounds[name]):>12.2f}{len(body) / len(compress(body)):>7.2f}")


if __name__ == "__main__":
    main()
