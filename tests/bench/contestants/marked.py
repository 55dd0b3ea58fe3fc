"""The pipeline's own worker, unchanged, which records when it reached each part of its start.

``python -m tests.bench.contestants.marked REPORT ROLE``: times are seconds since the epoch. The report is written when
the first messages are settled; "partitions assigned" is in the log.
"""

from __future__ import annotations

import time

_MARKS = {"interpreter": time.time()}

import json  # noqa: E402 -- the interpreter's own start ends above
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

import pipeline.bootstrap as composition  # noqa: E402
import pipeline.bootstrap.processor as processor_composition  # noqa: E402
import pipeline.bootstrap.sink as sink_composition  # noqa: E402
import pipeline.stream.worker as stream_worker  # noqa: E402
from pipeline.cli.main import main as program  # noqa: E402
from pipeline.metrics.delivery import DeliveryMetrics  # noqa: E402
from pipeline.metrics.processor import ProcessorMetrics  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_MARKS["imported"] = time.time()


def _mark(name: str) -> None:
    _MARKS.setdefault(name, time.time())


def main() -> None:
    report, role = Path(sys.argv[1]), sys.argv[2]

    class MarkedProcessorMetrics(ProcessorMetrics):
        def received(self, messages: int) -> None:
            _mark("fetched")
            super().received(messages)

        def settled(self, **counts: Any) -> None:
            super().settled(**counts)
            _settled(report)

    class MarkedDeliveryMetrics(DeliveryMetrics):
        def received(self, records: int) -> None:
            _mark("fetched")
            super().received(records)

        def accepted(self, *flush: Any, **options: Any) -> None:
            super().accepted(*flush, **options)
            _settled(report)

    _put(processor_composition, "ProcessorMetrics", MarkedProcessorMetrics)
    _put(sink_composition, "DeliveryMetrics", MarkedDeliveryMetrics)
    _put(composition, "run_worker", _marked("configured", composition.run_worker))
    _put(stream_worker, "build_app", _marked("opened", vars(stream_worker)["build_app"]))
    sys.argv[1:] = ["worker", role]
    program()


def _settled(report: Path) -> None:
    if "settled" not in _MARKS:
        _mark("settled")
        unfinished = report.with_suffix(".part")
        unfinished.write_text(json.dumps(_MARKS), encoding="utf-8")
        unfinished.replace(report)  # renamed in one step, so an existing report is complete


def _marked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def marked(*arguments: Any, **options: Any) -> Any:
        _mark(name)
        return function(*arguments, **options)

    return marked


def _put(module: ModuleType, name: str, replacement: object) -> None:
    """Replace an attribute of a module; it must be the original, or nothing would be marked."""
    if name not in vars(module):
        raise RuntimeError(f"{module.__name__} has no {name}")
    vars(module)[name] = replacement


if __name__ == "__main__":
    main()
