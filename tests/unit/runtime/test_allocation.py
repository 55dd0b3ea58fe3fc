"""What malloc keeps, tested in a separate process, because its settings are permanent."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from pipeline.runtime.allocation import KEPT_BYTES

ROUNDS = 20
PARTS = 16
PART_BYTES = 1024 * 1024
PAGES_OF_ALL_ROUNDS = ROUNDS * PARTS * PART_BYTES // 4096
PROGRAM = f"""
import resource
from pipeline.runtime.allocation import keep_freed_memory
{{before}}
def work():
    parts = [b"x" * {PART_BYTES} for _ in range({PARTS})]
work()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({ROUNDS}):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
"""


def faults_of(before: str) -> int:
    program = PROGRAM.format(before=before)
    return int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc has this switch")
def test_memory_that_was_freed_is_not_asked_for_again() -> None:
    assert PARTS * PART_BYTES < KEPT_BYTES
    assert faults_of("keep_freed_memory()") < PAGES_OF_ALL_ROUNDS / 10 < faults_of("pass")
