from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

import pytest
import structlog
from prometheus_client import CollectorRegistry

from pipeline.bootstrap.destinations.segment import SEGMENT as SEGMENT_ROW
from pipeline.bootstrap.policy import build_policy, rules_source
from pipeline.core.mistakes import RulesError
from pipeline.core.policy import Policy
from pipeline.core.rules_file import parse_rules
from pipeline.kafka.errors import ClusterFaultError, KafkaUnreachableError
from pipeline.metrics.rules import RulesMetrics
from pipeline.processor.rules_reload import RulesReload, RulesSource
from pipeline.settings import files, load_settings
from pipeline.settings.mistakes import Mistake, SettingsError
from tests.builders import SEGMENT
from tests.fakes.files import SilentFiles
from tests.fakes.stream import BOUND_SECONDS
from tests.mounts import Mount

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.processor.rules_reload import Read

KEEP, DROP, BROKEN = "rules: []\n", "rules: [{then: drop}]\n", "rules: [{then: dropp}]\n"
START = 1_767_225_600.0


class Bench:
    """A mounted rules file and its reload, at a time that the test sets."""

    def __init__(self, folder: Path, objection: str | ClusterFaultError | None = None) -> None:
        self.mount = Mount(folder, "rules.yaml", KEEP)
        settings = load_settings({"PIPELINE_RULES_FILE": str(self.mount.path)})
        self.registry = CollectorRegistry()
        self.now = START
        self.objection = objection
        self.asked = asyncio.Event()
        self.reload = RulesReload(
            rules_source(settings, SEGMENT_ROW),
            build_policy(settings, SEGMENT_ROW),
            metrics=RulesMetrics(self.registry, destination="segment"),
            interval_seconds=0.01,
            objection=self.object_to,
            now=lambda: self.now,
        )

    async def object_to(self, policy: Policy) -> str | None:
        self.asked.set()
        if isinstance(self.objection, ClusterFaultError):
            raise self.objection
        return self.objection if policy.rules.rules else None

    async def swap(self, text: str) -> None:
        self.mount.swap(text)
        self.now += 60
        await self.reload.look()

    @property
    def rules(self) -> int:
        return len(self.reload.policy.rules.rules)

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"onesignal_pipeline_rules_{name}", {"destination": "segment"})

    @property
    def version_shown(self) -> float | None:
        policy = self.reload.policy
        labels = {"destination": "segment", "rules": policy.rules.version, "policy": policy.version}
        return self.registry.get_sample_value("onesignal_pipeline_rules_info", labels)


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    await bench.reload.look()
    return bench


async def test_a_valid_change_is_taken_up_and_told(bench: Bench) -> None:
    before = bench.reload.policy.version
    header = f"(rules-version: {before} in headers)"
    assert bench.reload.note == f"rules {bench.reload.policy.rules.version} since 2026-01-01T00:00:00+00:00 {header}"
    await bench.swap(DROP)
    assert (bench.rules, bench.version_shown) == (1, 1)
    assert bench.reload.policy.version != before
    assert bench.metric("loaded_timestamp_seconds") == START + 60
    assert "since 2026-01-01T00:01:00+00:00" in bench.reload.note


async def test_a_broken_change_is_refused_whole_and_those_from_before_stay(bench: Bench) -> None:
    await bench.swap(DROP)
    await bench.swap(BROKEN)
    assert (bench.rules, bench.version_shown, bench.metric("reload_failing")) == (1, 1, 1)
    assert "since 2026-01-01T00:01:00+00:00 " in bench.reload.note
    assert "; a reload was rejected: " in bench.reload.note
    assert "did you mean `drop`?" in bench.reload.note
    assert bench.metric("loaded_timestamp_seconds") == START + 60


@pytest.mark.parametrize(("repaired", "rules"), [(DROP, 1), (KEEP, 0)])
async def test_a_refusal_ends_with_the_next_usable_content(bench: Bench, repaired: str, rules: int) -> None:
    await bench.swap(BROKEN)
    await bench.swap(repaired)
    assert (bench.rules, bench.metric("reload_failing")) == (rules, 0)
    assert "refused" not in bench.reload.note


async def test_a_file_that_vanishes_is_refused(bench: Bench) -> None:
    bench.mount.path.unlink()
    await bench.reload.look()
    assert bench.metric("reload_failing") == 1
    assert "there is no such file" in bench.reload.note


async def test_rules_that_cannot_be_used_here_are_refused_with_the_reason(tmp_path: Path) -> None:
    bench = Bench(tmp_path, objection="the raw topic is not keyed by user")
    await bench.reload.look()
    await bench.swap(DROP)
    assert (bench.rules, bench.metric("reload_failing")) == (0, 1)
    assert bench.reload.note.endswith("a reload was rejected: the raw topic is not keyed by user")


async def test_a_change_that_cannot_be_judged_while_kafka_is_away_is_taken_up_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.reload.look()
    bench.objection = KafkaUnreachableError("is Kafka away?")
    await bench.swap(DROP)
    assert (bench.rules, bench.metric("reload_failing")) == (0, 1)
    assert bench.reload.note.endswith("a reload was rejected: is Kafka away?")
    bench.objection = None
    await bench.reload.look()
    assert (bench.rules, bench.metric("reload_failing")) == (1, 0)


async def test_a_change_that_is_taken_back_while_kafka_is_away_is_refused_no_longer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.reload.look()
    bench.objection = KafkaUnreachableError("is Kafka away?")
    await bench.swap(DROP)
    await bench.swap(KEEP)
    assert (bench.rules, bench.metric("reload_failing")) == (0, 0)


async def test_rules_that_are_in_force_already_are_not_judged_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.reload.look()
    await bench.swap(DROP)
    bench.objection = "the raw topic is not keyed by user"
    await bench.swap("# the same\n" + DROP)
    assert (bench.rules, bench.metric("reload_failing")) == (1, 0)


class Loads:
    """Loads policies from a file whose content changes in between, and counts them."""

    def __init__(self, path: Path) -> None:
        self.source = RulesSource(files=(path,), load=self.load)
        self.path = path
        self.count = 0

    def load(self, read: Read) -> Policy:
        self.count += 1
        self.path.write_text(KEEP)
        try:
            return Policy(records=SEGMENT, rules=parse_rules(read(self.path).decode(), filename="rules.yaml"))
        except RulesError as error:
            raise SettingsError((Mistake(fields=("rules_file",), text=str(error)),)) from error


@pytest.fixture
def loads(tmp_path: Path) -> Loads:
    return Loads(tmp_path / "rules.yaml")


def reload_of(loads: Loads) -> RulesReload:
    return RulesReload(
        loads.source,
        Policy(records=SEGMENT),
        metrics=RulesMetrics(CollectorRegistry(), destination="segment"),
        interval_seconds=5,
    )


async def test_a_policy_is_made_of_the_bytes_that_were_looked_at(loads: Loads) -> None:
    reload = reload_of(loads)
    loads.path.write_text(DROP)
    await reload.look()
    assert len(reload.policy.rules.rules) == 1
    await reload.look()
    assert (len(reload.policy.rules.rules), loads.count) == (0, 2)


async def test_a_broken_file_is_parsed_once(loads: Loads) -> None:
    reload = reload_of(loads)
    for _ in range(5):
        loads.path.write_text(BROKEN)
        await reload.look()
    assert loads.count == 1
    assert "a reload was rejected" in reload.note


async def test_a_pipe_in_place_of_the_file_is_refused(bench: Bench) -> None:
    bench.mount.path.unlink()
    os.mkfifo(bench.mount.path)
    await bench.reload.look()
    assert bench.metric("reload_failing") == 1
    assert "it is a pipe, not a file" in bench.reload.note


async def test_a_file_that_does_not_answer_is_told_and_read_when_it_does(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ANSWER_SECONDS", 0.05)
    with SilentFiles(monkeypatch, bench.mount.path) as silent:
        await bench.reload.look()
        assert bench.metric("reload_failing") == 1
        assert "it did not answer within 0.05 s" in bench.reload.note
        await bench.reload.look()
        assert "it did not answer within 0.05 s" in bench.reload.note
        assert silent.asked == 1
    silent.end()
    await bench.swap(DROP)
    assert (bench.rules, bench.metric("reload_failing")) == (1, 0)
    assert "refused" not in bench.reload.note


async def test_a_file_that_does_not_answer_holds_up_neither_the_loop_nor_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SilentFiles(monkeypatch, bench.mount.path) as silent:
        running = asyncio.create_task(bench.reload.run())
        await asyncio.to_thread(silent.is_asked.wait, BOUND_SECONDS)
        running.cancel()
        await asyncio.wait({running})
        stuck = [thread for thread in threading.enumerate() if thread.name == "file"]
        assert [thread.daemon for thread in stuck] == [True]
    silent.end()


async def test_of_thousands_of_mistakes_the_first_are_told(bench: Bench) -> None:
    with structlog.testing.capture_logs() as lines:
        await bench.swap("rules:\n" + "- {thn: drop}\n" * 9_000)
    (line,) = lines
    for told in (line["reason"], bench.reload.note):
        assert len(told) < 5_000
        assert told.endswith(f"{bench.mount.path}: 17,981 more mistakes")


async def test_another_layout_of_the_same_rules_changes_nothing(bench: Bench) -> None:
    await bench.swap("# no rules\nrules: []\n")
    assert bench.metric("loaded_timestamp_seconds") == START
    assert "since 2026-01-01T00:00:00" in bench.reload.note


async def test_it_looks_again_and_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    running = asyncio.create_task(bench.reload.run())
    bench.mount.swap(DROP)
    await asyncio.wait_for(bench.asked.wait(), BOUND_SECONDS)
    bench.mount.swap(KEEP)
    bench.asked.clear()
    await asyncio.wait_for(bench.asked.wait(), BOUND_SECONDS)
    running.cancel()


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"PIPELINE_RULES_PRESET": "engagement-only"}, 0),
        ({"PIPELINE_RULES_FILE": "rules.yaml"}, 1),
        ({"PIPELINE_RULES_FILE": "rules.yaml", "PIPELINE_RULES_RELOAD_SECONDS": "0"}, 0),
    ],
)
async def test_without_a_file_that_may_change_nothing_is_looked_at(
    environment: dict[str, str], named: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(KEEP)
    source = rules_source(load_settings(environment), SEGMENT_ROW)
    assert len(source.files) == named
    if not named:
        reload = RulesReload(
            source,
            Policy(records=SEGMENT),
            metrics=RulesMetrics(CollectorRegistry(), destination="segment"),
            interval_seconds=0,
        )
        await asyncio.wait_for(reload.run(), 10)
