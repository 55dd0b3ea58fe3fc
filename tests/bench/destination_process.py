"""The sink's destination as a separate process, so that its CPU is not counted as the sink's."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.local.mixpanel.stand_in import PROJECT_TOKEN
from pipeline.local.segment.stand_in import WRITE_KEY
from pipeline.runtime.leash import leashed

if TYPE_CHECKING:
    from collections.abc import Iterator

_STOP_SECONDS = 20


@contextmanager
def light_destination() -> Iterator[dict[str, str]]:
    """Run a destination for the duration of the block; yield the settings with which a sink sends to it.

    Raises:
        RuntimeError: it did not start.
    """
    command = leashed([sys.executable, "-m", "tests.bench.destination"])
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        first_line = process.stdout.readline() if process.stdout is not None else ""
        if not first_line:
            raise RuntimeError("the destination did not start")
        endpoints = json.loads(first_line)
        yield {
            "PIPELINE_SEGMENT_ENDPOINT": endpoints["segment"],
            "PIPELINE_SEGMENT_WRITE_KEY": WRITE_KEY,
            "PIPELINE_MIXPANEL_ENDPOINT": endpoints["mixpanel"],
            "PIPELINE_MIXPANEL_PROJECT_TOKEN": PROJECT_TOKEN,
        }
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
