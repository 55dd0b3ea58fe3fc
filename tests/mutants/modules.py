"""The modules that are mutated, and the tests of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_STREAM: Final = "tests/unit/stream"
_DELIVERY: Final = "tests/unit/delivery"
_LANE_TESTS: Final = (
    f"{_DELIVERY}/test_lane.py",
    f"{_DELIVERY}/test_sink.py",
    f"{_DELIVERY}/test_partial_answers.py",
    f"{_DELIVERY}/test_unclear_answers.py",
    "tests/properties/test_delivery_lane.py",
)
_SINK_TESTS: Final = (f"{_DELIVERY}/test_sink.py", f"{_DELIVERY}/test_partial_answers.py")
_PROCESSOR: Final = "tests/unit/processor"
_MIXPANEL: Final = "tests/unit/sinks/mixpanel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A file below `pipeline/`, and the tests that must notice every change of it."""

    file: str
    tests: tuple[str, ...]


_FETCHING_TESTS: Final = (f"{_STREAM}/test_fetching.py", f"{_STREAM}/test_fetching_rounds.py")
_WORKER_TESTS: Final = tuple(
    f"{_STREAM}/test_worker_{part}.py" for part in ("end", "leaving", "run", "start", "status")
)
_PROCESSOR_TESTS: Final = (
    f"{_PROCESSOR}/test_confirmations.py",
    f"{_PROCESSOR}/test_processor.py",
    *(f"{_PROCESSOR}/test_processor_{part}.py" for part in ("rounds", "end", "state")),
)

MODULES: Final = {
    "ledger": Module(file="stream/ledger.py", tests=(f"{_STREAM}/test_ledger.py", f"{_STREAM}/test_transport.py")),
    "transport": Module(
        file="stream/transport.py", tests=(f"{_STREAM}/test_transport.py", f"{_STREAM}/test_transport_commits.py")
    ),
    "fetching": Module(file="stream/fetching.py", tests=_FETCHING_TESTS),
    "commits": Module(file="stream/commits.py", tests=_FETCHING_TESTS),
    "positions": Module(file="stream/positions.py", tests=_FETCHING_TESTS),
    "processor": Module(file="processor/processor.py", tests=_PROCESSOR_TESTS),
    "processor_rounds": Module(file="processor/rounds.py", tests=_PROCESSOR_TESTS),
    "processor_step": Module(file="processor/step.py", tests=_PROCESSOR_TESTS),
    "admission": Module(file="processor/admission.py", tests=(f"{_PROCESSOR}/test_admission.py", *_PROCESSOR_TESTS)),
    "confirmations": Module(file="processor/confirmations.py", tests=_PROCESSOR_TESTS),
    "partition_queue": Module(file="processor/partition_queue.py", tests=_PROCESSOR_TESTS),
    "turn": Module(file="processor/turn.py", tests=_PROCESSOR_TESTS),
    "worker": Module(file="stream/worker.py", tests=_WORKER_TESTS),
    "watching": Module(file="stream/watching.py", tests=_WORKER_TESTS),
    "shutdown": Module(file="runtime/shutdown.py", tests=_WORKER_TESTS),
    "signals": Module(file="runtime/signals.py", tests=_WORKER_TESTS),
    "producer": Module(file="kafka/producer.py", tests=("tests/unit/kafka/test_producer.py",)),
    "groups": Module(
        file="kafka/groups.py", tests=("tests/unit/kafka/test_groups.py", "tests/unit/kafka/test_groups_begin.py")
    ),
    "state_store": Module(file="state/store.py", tests=("tests/unit/state/test_store.py",)),
    "lane": Module(
        file="delivery/lane.py",
        tests=_LANE_TESTS,
    ),
    "intake": Module(
        file="delivery/intake.py",
        tests=_LANE_TESTS,
    ),
    "driver": Module(file="delivery/driver.py", tests=_SINK_TESTS),
    "exchange": Module(file="delivery/exchange.py", tests=_SINK_TESTS),
    "report": Module(file="delivery/report.py", tests=_SINK_TESTS),
    "dissection": Module(
        file="delivery/dissection.py",
        tests=(
            f"{_DELIVERY}/test_dissection.py",
            f"{_DELIVERY}/test_partial_answers.py",
            f"{_DELIVERY}/test_lane.py",
            "tests/properties/test_delivery_refusals.py",
        ),
    ),
    "packing": Module(
        file="delivery/packing.py",
        tests=(
            f"{_DELIVERY}/test_packing.py",
            f"{_DELIVERY}/test_lane.py",
            "tests/properties/test_delivery_packing.py",
        ),
    ),
    "limits": Module(
        file="delivery/limits.py",
        tests=(
            f"{_DELIVERY}/test_limits.py",
            f"{_DELIVERY}/test_packing.py",
            f"{_DELIVERY}/test_lane.py",
            "tests/properties/test_delivery_packing.py",
        ),
    ),
    "client": Module(
        file="delivery/client.py", tests=(f"{_DELIVERY}/test_client.py", f"{_DELIVERY}/test_compression.py")
    ),
    "mixpanel-answers": Module(file="sinks/mixpanel/answers.py", tests=(f"{_MIXPANEL}/test_answers.py",)),
    "mixpanel-record-check": Module(
        file="sinks/mixpanel/record_check.py", tests=(f"{_MIXPANEL}/test_record_check.py",)
    ),
}
