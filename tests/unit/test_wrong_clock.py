"""The wrong clock of other tests shifts the date by its offset, also while a process runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.wrong_clock import WrongClock

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3_600
READS = """
import sys, time, datetime
for line in sys.stdin:
    now = datetime.datetime.now(datetime.timezone.utc).timestamp()
    utc = time.mktime(time.gmtime()) - time.timezone
    print(time.time(), time.time_ns() / 1e9, now, utc, time.monotonic(), flush=True)
"""
COMPILERS = [pytest.param("cc", marks=pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")), None]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_way_to_ask_for_the_date_is_shifted_also_while_a_process_runs(
    tmp_path: Path, compiler: str | None
) -> None:
    clock = WrongClock(tmp_path / "offset")
    environment = {**os.environ, **clock.environment(2 * HOUR, compiler=compiler)}
    with subprocess.Popen(
        [sys.executable, "-c", READS], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for offset in (2 * HOUR, -30 * 24 * HOUR, 0):
            clock.set(offset)
            child.stdin.write("\n")
            child.stdin.flush()
            *dates, monotonic = map(float, child.stdout.readline().split())
            assert dates == pytest.approx([time.time() + offset] * 4, abs=60)
            assert monotonic == pytest.approx(time.monotonic(), abs=60)
        child.stdin.close()
