"""docker-compose.yml's commands and settings, run as processes on a real Kafka."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.compose import resolve
from tests.deploy.programs import program
from tests.deploy.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOT_RUN_HERE = {"grafana"}  # it has no command: the image's own
SECONDS = 120
GRACE_SECONDS = 45


def told(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
        return json.load(answer)


def eventually(condition: Callable[[], bool], stack: Stack) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        ended = {name: process.poll() for name, process in stack.processes.items() if name != "topics"}
        assert set(ended.values()) == {None}, [stack.log(name) for name, code in ended.items() if code is not None]
        assert time.monotonic() < deadline, "\n".join(f"--- {name}\n{stack.log(name)}" for name in stack.processes)
        time.sleep(0.2)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(folder=tmp_path, prometheus=program("prometheus", package="prometheus"))
    yield made
    made.kill()


def sample(stack: Stack, query: str) -> dict[str, float]:
    found = told(stack.address("prometheus", 9090), f"/api/v1/query?query={urllib.parse.quote(query)}")
    return {each["metric"].get("component", ""): float(each["value"][1]) for each in found["data"]["result"]}


def test_every_command_of_the_stack_runs_and_traffic_arrives(stack: Stack, tool: Callable[[str], Path]) -> None:
    services = resolve(tool("docker-compose"))
    for service in services.values():
        if service.name not in NOT_RUN_HERE:
            stack.start(service, services)
    ledger = stack.address("segment", 8090)
    eventually(lambda: told(ledger, "/ledger")["records_accepted"] > 200, stack)
    assert {reason for reason, count in told(ledger, "/ledger")["discarded"].items() if count} <= {"duplicate"}
    told_by_mixpanel = stack.address("mixpanel", 8091)
    eventually(lambda: told(told_by_mixpanel, "/ledger")["records_accepted"] > 200, stack)
    workers = ("processor", "segment-sink", "mixpanel-processor", "mixpanel-sink")
    eventually(lambda: sample(stack, "up") == dict.fromkeys(workers, 1), stack)
    received = "sum(onesignal_pipeline_events_received_total{namespace='compose', release='onesignal-pipeline'})"
    eventually(lambda: sample(stack, received).get("", 0) > 200, stack)
    rules = told(stack.address("prometheus", 9090), "/api/v1/rules")["data"]["groups"]
    assert rules
    assert {rule["health"] for group in rules for rule in group["rules"]} <= {"ok", "unknown"}
    for name in ("traffic", *reversed(workers), "segment", "mixpanel", "prometheus"):
        assert stack.stop(name, GRACE_SECONDS) == 0, stack.log(name)
    assert stack.processes["topics"].returncode == 0
    assert "events written" in stack.log("traffic")
