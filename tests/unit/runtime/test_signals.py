from __future__ import annotations

import asyncio
import os
import signal

import pytest

from pipeline.runtime.signals import StopSignals
from tests.fakes.stream import BOUND_SECONDS
from tests.fakes.worker import survive_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_requests_a_stop(number: signal.Signals) -> None:
    signals = StopSignals()
    signals.listen()
    try:
        os.kill(os.getpid(), number)
        await asyncio.wait_for(signals.stop.wait(), BOUND_SECONDS)
    finally:
        survive_signals()


async def test_the_second_signal_ends_the_process_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    exits: list[int] = []
    monkeypatch.setattr("pipeline.runtime.signals.os._exit", exits.append)
    signals = StopSignals()
    signals.on_signal(signal.SIGINT)
    assert exits == []
    signals.on_signal(signal.SIGTERM)
    assert exits == [128 + signal.SIGTERM]
