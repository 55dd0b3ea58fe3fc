"""The pipeline's own worker, unchanged: settings, metrics, logs, status pages. Only its counters are read.

``python -m tests.bench.contestants.pipeline_worker ROLE --messages N --report FILE``
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pipeline.bootstrap.processor as processor_composition
import pipeline.bootstrap.sink as sink_composition
from pipeline.bootstrap import requirements_of, run_worker
from pipeline.logs import configure_logs
from pipeline.metrics.delivery import DeliveryMetrics
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.settings.choices import LogFormat, Role
from pipeline.settings.loading import load_settings
from tests.bench.meter import Meter, end_in_order, meter_parser

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from pipeline.core.kinds import Kind
    from pipeline.core.outcomes import DropReason, RejectReason
    from pipeline.metrics.delivery import AcceptedFlush


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

    class MeteredDeliveryMetrics(DeliveryMetrics):
        def received(self, records: int) -> None:
            meter.received(records)
            super().received(records)

        def accepted(self, flush: AcceptedFlush, *, now: float) -> None:
            super().accepted(flush, now=now)
            meter.request_was_full(flush.fullness)
            meter.settled(flush.records)

    _put(MeteredProcessorMetrics, processor_composition)
    _put(MeteredDeliveryMetrics, sink_composition)
    settings = load_settings(os.environ, requirements=requirements_of([options.role]))
    configure_logs(settings.log_level.value, as_json=settings.log_format is LogFormat.JSON)
    return run_worker(options.role, settings)


def _put(metered: type, composition: ModuleType) -> None:
    """Make a module build the metered class in place of its class, which it must build, or nothing would be counted."""
    (its_own,) = metered.__bases__
    if vars(composition).get(its_own.__name__) is not its_own:
        raise RuntimeError(f"{composition.__name__} makes no {its_own.__name__}")
    vars(composition)[its_own.__name__] = metered


if __name__ == "__main__":
    sys.exit(main())
