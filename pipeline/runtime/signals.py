"""The signals that end a process."""

from __future__ import annotations

import asyncio
import os
import signal

import structlog

logger = structlog.get_logger(__name__)


class StopSignals:
    """Requests an orderly stop at the first SIGTERM or SIGINT; the second one ends the process at once."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()

    def listen(self) -> None:
        """Handle the signals from now on, in the running event loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.on_signal, number)

    def on_signal(self, number: signal.Signals) -> None:
        """Called with each signal."""
        if self.stop.is_set():
            os._exit(128 + number)
        logger.info("stopping: settling what is in hand", signal=number.name)
        self.stop.set()
