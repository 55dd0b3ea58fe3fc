from __future__ import annotations

import asyncio
import time

import pytest

from tests.bench.restore_process import Restored, Steps
from tests.bench.restoring import restore_figures, restore_verdicts, shares_of


def restored(users: int, *, cpu_seconds: float, step_ms: float = 40) -> Restored:
    return Restored(
        users=users,
        seconds=cpu_seconds,
        cpu_seconds=cpu_seconds,
        longest_step_ms=step_ms,
        longest_step_cpu_ms=step_ms,
        probes=1_000,
        probe_p50_ms=2,
        probe_p99_ms=30,
        probe_longest_ms=50,
        megabytes=100,
        peak_megabytes=150,
    )


def test_a_time_that_grows_with_the_users_passes() -> None:
    linear = [restored(1_000_000, cpu_seconds=3), restored(10_000_000, cpu_seconds=33)]
    assert all(each.passed for each in restore_verdicts(linear, scale=1))


def test_a_time_that_grows_faster_than_the_users_misses() -> None:
    quadratic = [restored(1_000_000, cpu_seconds=3), restored(10_000_000, cpu_seconds=300)]
    assert [each.passed for each in restore_verdicts(quadratic, scale=1)] == [True, True, False]


@pytest.mark.parametrize(("scale", "passes"), [(1.0, False), (2.0, True)])
def test_the_bar_of_the_longest_step_grows_with_the_scale(scale: float, passes: bool) -> None:  # noqa: FBT001
    *longest, _ = restore_verdicts([restored(1_000_000, cpu_seconds=3, step_ms=90)], scale=scale)
    assert [each.passed for each in longest] == [passes, passes]


def test_the_report_has_each_restore() -> None:
    assert restore_figures([restored(7, cpu_seconds=1)], 1.5)["restore"].keys() == {"7", "scale"}


def test_shares_name_every_user_once() -> None:
    numbers = sorted(number for share in shares_of(5, 100) for _, number in share)
    assert numbers == list(range(5, 100))


async def test_the_longest_step_of_the_event_loop_is_found() -> None:
    steps = Steps()
    with steps.watched():
        asyncio.get_running_loop().call_soon(time.sleep, 0.05)
        await asyncio.sleep(0.01)
    assert steps.longest_ms >= 50
    assert steps.longest_cpu_ms < 40
