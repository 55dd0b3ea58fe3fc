from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
import structlog
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from pipeline.delivery import secret_file
from pipeline.delivery.secret_file import SecretFile
from pipeline.metrics.credentials import CredentialsMetrics
from pipeline.settings import files
from pipeline.sinks.segment.credentials import write_key_problem
from tests.fakes.files import SilentFiles
from tests.fakes.segment import WRITE_KEY
from tests.fakes.stream import BOUND_SECONDS
from tests.mounts import Mount

if TYPE_CHECKING:
    from pathlib import Path

NEW_KEY = "N" * 32


class Judgements(CredentialsMetrics):
    """Metrics that also let a test wait for the next read of the file."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry, destination="segment")
        self.next = asyncio.Event()

    def judged(self, *, usable: bool) -> None:
        super().judged(usable=usable)
        self.next.set()


class Bench:
    """A mounted key and its `SecretFile`."""

    def __init__(self, folder: Path) -> None:
        self.mount = Mount(folder, "write-key", WRITE_KEY)
        self.registry = CollectorRegistry()
        self.judgements = Judgements(self.registry)
        self.file = SecretFile(
            self.mount.path,
            SecretStr(WRITE_KEY),
            words="write key",
            problem_of=write_key_problem,
            metrics=self.judgements,
        )

    @property
    def key(self) -> str:
        return self.file.current().get_secret_value()

    @property
    def failing(self) -> float | None:
        name = "onesignal_pipeline_sink_credentials_reload_failing"
        return self.registry.get_sample_value(name, {"destination": "segment"})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_swapped_link_brings_the_new_key(bench: Bench) -> None:
    await bench.file.look()
    assert bench.key == WRITE_KEY
    bench.mount.swap(NEW_KEY + "\n")
    with structlog.testing.capture_logs() as lines:
        await bench.file.look()
    assert (bench.key, bench.file.note, bench.failing) == (NEW_KEY, None, 0)
    assert lines == [{"event": "secret changed", "secret": "write key", "log_level": "info"}]


async def test_it_looks_at_once_and_again_and_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_file, "LOOK_SECONDS", 0.01)
    bench.mount.swap(NEW_KEY)
    running = asyncio.create_task(bench.file.run())
    for _ in range(3):
        await asyncio.wait_for(bench.judgements.next.wait(), BOUND_SECONDS)
        bench.judgements.next.clear()
    assert bench.key == NEW_KEY
    running.cancel()


@pytest.mark.parametrize(
    ("text", "problem"),
    [("hunter2", "has 7 characters"), ("", "it is empty"), (NEW_KEY[:-1] + "-", "other than letters and digits")],
)
async def test_a_key_of_the_wrong_shape_is_refused_once_and_the_old_one_stays(
    bench: Bench, text: str, problem: str
) -> None:
    bench.mount.swap(text)
    with structlog.testing.capture_logs() as lines:
        for _ in range(4):
            await bench.file.look()
            assert bench.key == WRITE_KEY
    (line,) = lines
    assert line["event"] == "secret file rejected, keeping the previous secret"
    assert (line["log_level"], line["secret"], bench.failing) == ("error", "write key", 1)
    assert problem in line["problem"]
    assert problem in str(bench.file.note)
    for shown in (str(lines), str(bench.file.note)):
        assert "hunter2" not in shown
        assert NEW_KEY[:-1] not in shown


async def test_a_good_key_after_a_wrong_one_is_taken(bench: Bench) -> None:
    for text in ("wrong", NEW_KEY):
        bench.mount.swap(text)
        await bench.file.look()
    assert (bench.key, bench.file.note, bench.failing) == (NEW_KEY, None, 0)


async def test_a_file_that_is_gone_leaves_the_key_in_force(bench: Bench) -> None:
    bench.mount.path.unlink()
    with structlog.testing.capture_logs() as lines:
        await bench.file.look()
    assert (bench.key, bench.failing) == (WRITE_KEY, 1)
    assert [line["log_level"] for line in lines] == ["error"]


async def test_the_same_key_in_a_new_file_is_no_news(bench: Bench) -> None:
    bench.mount.swap(WRITE_KEY)
    with structlog.testing.capture_logs() as lines:
        await bench.file.look()
    assert lines == []


async def test_a_pipe_in_place_of_the_file_is_refused(bench: Bench) -> None:
    bench.mount.path.unlink()
    os.mkfifo(bench.mount.path)
    await bench.file.look()
    assert bench.key == WRITE_KEY
    assert bench.file.note == "a change of the write key was refused: it is a pipe, not a file"


async def test_a_file_that_does_not_answer_is_told_and_read_when_it_does(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ANSWER_SECONDS", 0.05)
    bench.mount.swap(NEW_KEY)
    with SilentFiles(monkeypatch, bench.mount.path) as silent:
        await bench.file.look()
        assert (bench.key, bench.failing) == (WRITE_KEY, 1)
        assert "it did not answer" in str(bench.file.note)
        await bench.file.look()
        assert "it did not answer" in str(bench.file.note)
        assert silent.asked == 1
    silent.end()
    await bench.file.look()
    assert (bench.key, bench.file.note, bench.failing) == (NEW_KEY, None, 0)
