"""How far this machine's clock is from the brokers', by the times that they tell.

A worker stamps what it sends with its own clock: requests, by whose time destinations correct that of every event,
and dead letters. A wrong clock is a warning first, and a hold where it is too far off.
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
"""After a warning the next one comes when the difference has been smaller than this."""
SLOWEST_SECONDS: Final = 5.0
"""An answer that took longer tells too little: the broker may have looked at its clock at any moment of it."""
ANSWERS_EVERY_SECONDS: Final = 1.0
DOUBT_SECONDS: Final = 60.0
"""For so long a hold may rest on times from before it. Then writes go out, and their answers tell the time anew.

What a broker told is forgotten when another has told its time so much later.
"""
CONTROLLER: Final = -2
"""Stands for the number of the broker where the controller told the time; -1 is aiokafka's for one that is away."""
EARLIEST_MS: Final = 1_577_836_800_000
"""The start of 2020. What is earlier is no broker's time: the embedded one confirms writes with 1234."""
_STEADY: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BROKER_GAVE_THE_TIME: Final = 1
"""aiokafka's `timestamp_type` of a confirmed write to a topic with `message.timestamp.type=LogAppendTime`."""


def steady_seconds() -> float:
    """Return seconds of a clock that nobody sets; where the system has one, it goes on while the machine sleeps."""
    return time.clock_gettime(_STEADY)


class _Told(NamedTuple):
    """A broker's time less the steady clock's lies between these two; and when it was told, by the steady clock."""

    least: float
    most: float
    at: float


class BrokerClock:
    """Compares this machine's clock with what brokers tell, and with the steady clock from then on.

    So a clock that is set while nothing is written is noticed at once, and so is one that is set right. Where brokers
    differ, the one counts that is nearest: that one of them is wrong must not stop the workers.
    """

    def __init__(
        self,
        *,
        limit_seconds: float = math.inf,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        """Begin without knowing anything. A difference above `limit_seconds`, to either side, is a hold."""
        self._limit_seconds = limit_seconds
        self._wall = wall
        self.steady = steady
        self._told: dict[int | None, _Told] = {}
        self._warned = False
        self._warned_of_brokers = False
        self._held_since = 0.0
        self._reason: str | None = None
        self._found_right = math.nan
        """This machine's time less its steady clock's, where the last look found the clock right."""

    @property
    def difference(self) -> float | None:
        """This machine's time less the brokers', in seconds, and no more than is sure; None while nobody told any."""
        own = self._wall() - self.steady()
        differences = (max(0.0, own - told.most) or min(0.0, own - told.least) for told in self._told.values())
        return min(differences, key=abs, default=None)

    @property
    def _told_at(self) -> float:
        return max((told.at for told in self._told.values()), default=-math.inf)

    def now(self) -> float:
        """Return seconds since the epoch by this machine's clock, or by the brokers' where that is too wrong.

        What was taken in hand before a clock jumped is still sent, with the time that it is.
        """
        own = self._wall()
        if self._was_right(own - self.steady()):
            return own
        difference = self.difference or 0.0
        return own if abs(difference) <= self._limit_seconds else own - difference

    def now_ms(self) -> int:
        """Return the same in milliseconds."""
        return round(self.now() * 1000)

    def heard(self, broker_ms: int, *, asked_at: float, broker: int | None = None) -> None:
        """Called with the time that a broker told just now, to a question that was asked then, by the steady clock.

        `broker` is its number, None where that is not known. Nothing is learnt from a time before `EARLIEST_MS`.
        """
        answered_at, broker_seconds = self.steady(), broker_ms / 1000
        if broker_ms >= EARLIEST_MS and answered_at - asked_at <= SLOWEST_SECONDS:
            self._told[broker] = _Told(broker_seconds - answered_at, broker_seconds - asked_at, answered_at)
            earliest = answered_at - DOUBT_SECONDS
            self._told = {each: told for each, told in self._told.items() if told.at >= earliest}
            self._found_right = math.nan
            self._warn_of_brokers()

    def watch(self, confirmation: asyncio.Future[Any], *, asked_at: float, broker: int | None = None) -> None:
        """Learn the time from the confirmation of a write to a broker, of each at most once a second."""
        told = self._told.get(broker)
        if told is None or asked_at - told.at >= ANSWERS_EVERY_SECONDS:
            confirmation.add_done_callback(partial(self._confirmed, asked_at, broker))

    def _confirmed(self, asked_at: float, broker: int | None, confirmation: asyncio.Future[Any]) -> None:
        if confirmation.cancelled() or confirmation.exception() is not None:
            return
        stored = confirmation.result()
        if stored is not None and stored.timestamp_type == _BROKER_GAVE_THE_TIME:
            self.heard(stored.timestamp, asked_at=asked_at, broker=broker)

    def look(self) -> str | None:
        """Compare the clocks; return why nothing may be sent, as one sentence, or None. Changes are logged once.

        Called for each batch, so it compares only what has changed.
        """
        own = self._wall() - self.steady()
        if self._was_right(own):
            return None
        difference = self.difference
        if difference is None:
            return self._reason
        self._warn(difference)
        if abs(difference) <= self._limit_seconds:
            self._go_on()
            self._found_right = own
        elif self._reason is None:
            self._hold(difference)
        elif self.steady() - max(self._held_since, self._told_at) > DOUBT_SECONDS:
            self._told.clear()
            self._go_on()
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
        told = self._told.values()
        apart = max(each.least for each in told) - min(each.most for each in told)
        if apart > WARN_SECONDS and not self._warned_of_brokers:
            self._warned_of_brokers = True
            logger.warning("the clocks of brokers differ, so one of them is wrong", seconds=round(apart))
        elif apart < _CALM_SECONDS:
            self._warned_of_brokers = False

    def _hold(self, difference: float) -> None:
        self._held_since = self.steady()
        self._reason = (
            f"this machine's clock is {abs(difference):,.0f} s {'ahead of' if difference > 0 else 'behind'} the "
            f"brokers', more than {variable('clock_max_difference_seconds')} allows: set it right; messages wait in "
            "Kafka meanwhile, and work goes on by itself then"
        )
        logger.error("this machine's clock is too wrong to work with", reason=self._reason)

    def _go_on(self) -> None:
        if self._reason is not None:
            logger.info("work goes on by this machine's clock")
        self._reason = None
