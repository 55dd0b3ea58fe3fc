"""The modules that are changed, and the tests of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_STREAM: Final = "tests/unit/stream"
_SINK: Final = "tests/unit/sinks/segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A file below `pipeline/`, and the tests that must notice every change of it."""

    file: str
    tests: tuple[str, ...]


MODULES: Final = {
    "ledger": Module(file="stream/ledger.py", tests=(f"{_STREAM}/test_ledger.py", f"{_STREAM}/test_transport.py")),
    "transport": Module(
        file="stream/transport.py", tests=(f"{_STREAM}/test_transport.py", f"{_STREAM}/test_transport_commits.py")
    ),
    "fetching": Module(
        file="stream/fetching.py", tests=(f"{_STREAM}/test_fetching.py", f"{_STREAM}/test_fetching_rounds.py")
    ),
    "processor": Module(
        file="stream/processor.py",
        tests=(
            f"{_STREAM}/test_processor.py",
            *(f"{_STREAM}/test_processor_{part}.py" for part in ("rounds", "end", "state")),
        ),
    ),
    "worker": Module(
        file="stream/worker.py",
        tests=tuple(f"{_STREAM}/test_worker_{part}.py" for part in ("end", "leaving", "run", "start", "status")),
    ),
    "producer": Module(file="kafka/producer.py", tests=("tests/unit/kafka/test_producer.py",)),
    "groups": Module(
        file="kafka/groups.py", tests=("tests/unit/kafka/test_groups.py", "tests/unit/kafka/test_groups_begin.py")
    ),
    "memories": Module(file="state/memories.py", tests=("tests/unit/state/test_memories.py",)),
    "lane": Module(
        file="sinks/segment/lane.py",
        tests=(f"{_SINK}/test_lane.py", f"{_SINK}/test_sink.py", "tests/properties/test_sinks_lane.py"),
    ),
    "driver": Module(file="sinks/segment/driver.py", tests=(f"{_SINK}/test_sink.py",)),
    "dissection": Module(
        file="sinks/segment/dissection.py",
        tests=(f"{_SINK}/test_dissection.py", f"{_SINK}/test_lane.py", "tests/properties/test_sinks_refusals.py"),
    ),
    "packing": Module(
        file="sinks/segment/packing.py",
        tests=(f"{_SINK}/test_packing.py", f"{_SINK}/test_lane.py", "tests/properties/test_sinks_packing.py"),
    ),
    "client": Module(file="sinks/segment/client.py", tests=(f"{_SINK}/test_client.py",)),
}
