"""Run one contestant as a separate process, and check that it processed everything."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.runtime.leash import leashed
from tests.bench.meter import read_report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.cluster import Cluster
    from tests.bench.meter import Measured

RUN_SECONDS = 180
_STOP_SECONDS = 20
_TAIL_CHARACTERS = 3_000
WRITE_KEY = "0123456789abcdefghijklmnopqrstuv"


class RunError(Exception):
    """A contestant failed, or did not process everything; its figures would be worthless."""


class Contestant(StrEnum):
    """A contestant, identified by its module."""

    PROCESSOR = "pipeline_worker processor"
    SINK = "pipeline_worker segment-sink"
    MIXPANEL_PROCESSOR = "pipeline_worker mixpanel-processor"
    MIXPANEL_SINK = "pipeline_worker mixpanel-sink"
    HANDWRITTEN = "handwritten"
    STOCK_FAUST = "stock_faust"


_SINKS = frozenset({Contestant.SINK, Contestant.MIXPANEL_SINK})
_GROUP_SETTINGS = {
    Contestant.SINK: "PIPELINE_SEGMENT_SINK_GROUP",
    Contestant.MIXPANEL_PROCESSOR: "PIPELINE_MIXPANEL_PROCESSOR_GROUP",
    Contestant.MIXPANEL_SINK: "PIPELINE_MIXPANEL_SINK_GROUP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """The topics that a contestant reads and writes."""

    raw: str
    records: str
    dead_letters: str


class Run:
    """A running contestant. Leaving the block always stops it."""

    def __init__(
        self,
        contestant: Contestant,
        cluster: Cluster,
        topics: Topics,
        *,
        messages: int,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.group = f"bench.{uuid.uuid4().hex[:8]}"
        self._contestant = contestant
        self._cluster = cluster
        self._topics = topics
        self._messages = messages
        self._settings = dict(settings or {})
        self._scratch = tempfile.TemporaryDirectory(prefix="onesignal-pipeline-bench-")
        self._report = Path(self._scratch.name) / "report.json"
        self._log = Path(self._scratch.name) / "log"

    def __enter__(self) -> Self:
        module, *role = self._contestant.split()
        command = [sys.executable, "-m", f"tests.bench.contestants.{module}", *role]
        command += ["--messages", str(self._messages), "--report", str(self._report)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                leashed(command), env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(self, *_raised: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._scratch.cleanup()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
        return {
            **kept,
            "PIPELINE_KAFKA_BOOTSTRAP_SERVERS": self._cluster.bootstrap_servers,
            "PIPELINE_RAW_TOPIC": self._topics.raw,
            _records_setting(self._contestant): self._topics.records,
            "PIPELINE_DEAD_LETTER_TOPIC": self._topics.dead_letters,
            _GROUP_SETTINGS.get(self._contestant, "PIPELINE_PROCESSOR_GROUP"): self.group,
            "PIPELINE_HTTP_HOST": "127.0.0.1",
            "PIPELINE_HTTP_PORT": "0",
            **self._settings,
        }

    def ends(self, *, within_seconds: float) -> bool:
        """Wait for the contestant to end.

        Raises:
            RunError: it ended without its report.
        """
        try:
            self.process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            return False
        if not self._report.exists():
            raise self._failure(f"ended with {self.process.returncode} before it had processed everything")
        return True

    def measured(self) -> Measured:
        """Wait for the end, and return the result.

        Raises:
            RunError: not all messages were processed.
        """
        if not self.ends(within_seconds=RUN_SECONDS) and not self._report.exists():
            raise self._failure(f"had not processed everything after {RUN_SECONDS} s")
        self._check()
        return read_report(self._report)

    def _check(self) -> None:
        source = self._topics.records if self._contestant in _SINKS else self._topics.raw
        facts = [("messages committed", self._cluster.committed(self.group, source))]
        if self._contestant not in _SINKS:
            facts.append(("records written", self._cluster.written(self._topics.records)))
        for fact, count in facts:
            if count != self._messages:
                raise self._failure(f"has {count:,} {fact}, not {self._messages:,}")

    def _failure(self, what: str) -> RunError:
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARACTERS:]
        return RunError(f"{self._contestant} {what}; the end of its log:\n{tail}")


def _records_setting(contestant: Contestant) -> str:
    mixpanel = contestant in {Contestant.MIXPANEL_PROCESSOR, Contestant.MIXPANEL_SINK}
    return "PIPELINE_MIXPANEL_RECORDS_TOPIC" if mixpanel else "PIPELINE_RECORDS_TOPIC"
