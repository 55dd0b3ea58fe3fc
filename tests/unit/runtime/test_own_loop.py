from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio
from pipeline.runtime.own_loop import run_in_own_loop

async def ignores(cancellations):
    while cancellations:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancellations -= 1

async def work():
    kept.append(asyncio.create_task(ignores({cancellations}), name="stubborn"))
    await asyncio.sleep(0)
    return 7

kept = []
code = run_in_own_loop(work())
print("ended", kept[0].done())
raise SystemExit(code)
"""


def run(cancellations: int) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.replace("{cancellations}", str(cancellations))
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)


def test_what_waits_when_it_is_cancelled_once_is_cancelled_again() -> None:
    ended = run(3)
    assert (ended.returncode, ended.stdout) == (7, "ended True\n")


def test_what_never_ends_is_named_and_does_not_keep_the_process() -> None:
    ended = run(1_000_000)
    assert (ended.returncode, ended.stdout.splitlines()[1:]) == (7, [])
    assert "stubborn" in ended.stdout + ended.stderr
