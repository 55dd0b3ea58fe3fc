"""The pipeline's own worker, whole and unchanged: settings, metrics, logs, status pages. Only its counters are watched.

``python -m tests.bench.contestants.pipeline_worker processor|segment-sink --messages N --report FILE``
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pipeline.bootstrap.worker as composition
from pipeline.logs import configure_logs
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.metrics.segment import SegmentMetrics
from pipeline.settings.choices import LogFormat, Role
from pipeline.settings.loading import ROLE_REQUIREMENTS, load_settings
from tests.bench.meter import Meter, end_in_order, meter_parser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.kinds import Kind
    from pipeline.core.outcomes import DropReason, RejectReason
    from pipeline.metrics.segment import AcceptedFlush


def main() -> int:
    parser = meter_parser()
    parser.add_argument("role", type=Role)
    options = parser.parse_args()
    meter = Meter(messages=options.messages, report=options.report, on_done=end_in_order)

    class MeteredProcessorMetrics(ProcessorMetrics):
        def received(self, messages: int) -> None:
            meter.received(messages)
            super().received(messages)

        def settled(
            self,
            *,
            messages: int,
            forwarded: Mapping[Kind, int],
            dropped: Mapping[tuple[Kind | None, DropReason], int],
            rejected: Mapping[tuple[Kind | None, RejectReason], int],
        ) -> None:
            super().settled(messages=messages, forwarded=forwarded, dropped=dropped, rejected=rejected)
            meter.settled(messages)

    class MeteredSegmentMetrics(SegmentMetrics):
        def received(self, records: int) -> None:
            meter.received(records)
            super().received(records)

        def accepted(self, flush: AcceptedFlush, *, now: float) -> None:
            super().accepted(flush, now=now)
            meter.request_was_full(flush.fullness)
            meter.settled(flush.records)

    vars(composition).update(ProcessorMetrics=MeteredProcessorMetrics, SegmentMetrics=MeteredSegmentMetrics)
    settings = load_settings(os.environ, requirements=ROLE_REQUIREMENTS[options.role])
    configure_logs(settings.log_level.value, as_json=settings.log_format is LogFormat.JSON)
    return composition.run_worker(options.role, settings)


if __name__ == "__main__":
    sys.exit(main())
