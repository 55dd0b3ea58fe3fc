"""The difference between this machine's clock and the brokers' clocks, from the times that brokers report.

A worker stamps requests and dead letters with its own clock, and destinations correct the time of every event by the
time of the request. A wrong clock is a warning at first, and a hold when the difference is too large.
"""

from __future__ import annotations

import math
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

logger = structlog.get_logger(__name__)

WARN_SECONDS: Final = 30.0
_UNCHANGED_SECONDS: Final = 0.001
_CALM_SECONDS: Final = 15.0
"""After a warning, the next one is logged only once the difference has been smaller than this."""
SLOWEST_SECONDS: Final = 5.0
"""An answer that took longer is ignored: the broker may have read its clock at any moment of that time."""
ANSWERS_EVERY_SECONDS: Final = 1.0
DOUBT_SECONDS: Final = 60.0
"""How long a hold may be based on times from before it. Then writes are sent again, and their answers report the time.

A broker's time is forgotten when another broker has reported its own this much later.
"""
CONTROLLER: Final = -2
"""Used as the broker's number when the controller reported the time; aiokafka uses -1 for a leader that is away."""
EARLIEST_MS: Final = 1_577_836_800_000
"""The start of 2020. An earlier time is no broker's: the embedded broker confirms writes with 1234."""
_STEADY: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BROKER_GAVE_THE_TIME: Final = 1
"""aiokafka's `timestamp_type` of a confirmed write to a topic with `message.timestamp.type=LogAppendTime`."""


def steady_seconds() -> float:
    """Return seconds of a clock that cannot be set; if possible, it also counts while the machine is suspended."""
    return time.clock_gettime(_STEADY)


class _Report(NamedTuple):
    """A broker's time minus the steady clock's lies between `least` and `most`; `at` is when it was reported.

    `at` is a time of the steady clock.
    """

    least: float
    most: float
    at: float


class BrokerClock:
    """Compares this machine's clock with the times that brokers report, and with the steady clock between reports.

    So a clock that is set while nothing is written is noticed at once, and so is its correction. When brokers differ,
    the nearest one counts: one broker with a wrong clock must not stop the workers.
    """

    def __init__(
        self,
        *,
        limit_seconds: float = math.inf,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        """Start without any report. A difference above `limit_seconds`, in either direction, is a hold."""
        self._limit_seconds = limit_seconds
        self._wall = wall
        self.steady = steady
        self._reports: dict[int | None, _Report] = {}
        self._warned = False
        self._warned_of_brokers = False
        self._held_since = 0.0
        self._reason: str | None = None
        self._found_right = math.nan
        """This machine's time minus its steady clock's at the last check that found the clock right."""

    @property
    def difference(self) -> float | None:
        """This machine's time minus the brokers', in seconds: the least that is certain. None if unknown."""
        own = self._wall() - self.steady()
        reports = self._reports.values()
        differences = (max(0.0, own - report.most) or min(0.0, own - report.least) for report in reports)
        return min(differences, key=abs, default=None)

    @property
    def _reported_at(self) -> float:
        return max((report.at for report in self._reports.values()), default=-math.inf)

    def now(self) -> float:
        """Return seconds since the epoch by this machine's clock, or by the brokers' clocks when ours is too wrong.

        A batch that was started before the clock jumped is still sent, with the correct time.
        """
        own = self._wall()
        if self._was_right(own - self.steady()):
            return own
        difference = self.difference or 0.0
        return own if abs(difference) <= self._limit_seconds else own - difference

    def now_ms(self) -> int:
        """Return the same in milliseconds."""
        return round(self.now() * 1000)

    def report(self, broker_ms: int, *, asked_at: float, broker: int | None = None) -> None:
        """Called with the time in a broker's answer. `asked_at` is when the request was sent, by the steady clock.

        `broker` is its number, None if unknown. A time before `EARLIEST_MS` is ignored.
        """
        answered_at, broker_seconds = self.steady(), broker_ms / 1000
        if broker_ms >= EARLIEST_MS and answered_at - asked_at <= SLOWEST_SECONDS:
            self._reports[broker] = _Report(broker_seconds - answered_at, broker_seconds - asked_at, answered_at)
            earliest = answered_at - DOUBT_SECONDS
            self._reports = {each: report for each, report in self._reports.items() if report.at >= earliest}
            self._found_right = math.nan
            self._warn_of_brokers()

    def watch(self, confirmation: asyncio.Future[Any], *, asked_at: float, broker: int | None = None) -> None:
        """Read the time from the confirmation of a write to a broker, at most once a second for each broker."""
        known = self._reports.get(broker)
        if known is None or asked_at - known.at >= ANSWERS_EVERY_SECONDS:
            confirmation.add_done_callback(partial(self._confirmed, asked_at, broker))

    def _confirmed(self, asked_at: float, broker: int | None, confirmation: asyncio.Future[Any]) -> None:
        if confirmation.cancelled() or confirmation.exception() is not None:
            return
        stored = confirmation.result()
        if stored is not None and stored.timestamp_type == _BROKER_GAVE_THE_TIME:
            self.report(stored.timestamp, asked_at=asked_at, broker=broker)

    def look(self) -> str | None:
        """Compare the clocks; return why nothing may be sent, as one sentence, or None. Each change is logged once.

        Called for each batch, so it compares the clocks only after a change.
        """
        own = self._wall() - self.steady()
        if self._was_right(own):
            return None
        difference = self.difference
        if difference is None:
            return self._reason
        self._warn(difference)
        if abs(difference) <= self._limit_seconds:
            self._resume()
            self._found_right = own
        elif self._reason is None:
            self._hold(difference)
        elif self.steady() - max(self._held_since, self._reported_at) > DOUBT_SECONDS:
            self._reports.clear()
            self._resume()
        return self._reason

    def _was_right(self, own: float) -> bool:
        return abs(own - self._found_right) < _UNCHANGED_SECONDS

    def _warn(self, difference: float) -> None:
        if abs(difference) > WARN_SECONDS and not self._warned:
            self._warned = True
            logger.warning("this machine's clock is wrong", seconds_ahead_of_the_brokers=round(difference))
        elif abs(difference) < _CALM_SECONDS:
            self._warned = False

    def _warn_of_brokers(self) -> None:
        reports = self._reports.values()
        apart = max(each.least for each in reports) - min(each.most for each in reports)
        if apart > WARN_SECONDS and not self._warned_of_brokers:
            self._warned_of_brokers = True
            logger.warning("broker clocks differ, one of them is wrong", seconds=round(apart))
        elif apart < _CALM_SECONDS:
            self._warned_of_brokers = False

    def _hold(self, difference: float) -> None:
        self._held_since = self.steady()
        self._reason = (
            f"this machine's clock is {abs(difference):,.0f} s {'ahead of' if difference > 0 else 'behind'} the "
            f"brokers', more than {variable('clock_max_difference_seconds')} allows: correct it; until then messages "
            "wait in Kafka, and afterwards the worker resumes by itself"
        )
        logger.error("clock difference too large, holding", reason=self._reason)

    def _resume(self) -> None:
        if self._reason is not None:
            logger.info("clock accepted again, resumed")
        self._reason = None
