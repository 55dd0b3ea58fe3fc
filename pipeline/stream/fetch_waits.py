"""How long brokers delay a fetch, so that at an ordinary rate one round returns many messages.

A broker answers when ``min_bytes`` are available for all partitions of a request together, or when its wait is over. A
delay on our side, after an answer, collects nothing: aiokafka requests more only when everything from that broker was
taken. So the broker is asked to wait after an answer that contained messages and reached the end of its log. After an
empty answer, the first message is answered at once. If more messages are known to be available, nothing waits.

With several brokers, each answers on its own clock. Their waits are set to end together, and a part of the total is
reserved for those that answer a little later, so that their answers form one round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aiokafka

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

COLLECTED_BYTES: Final = 1024 * 1024
"""This much is answered before the wait is over."""
BROKERS_SHARE: Final = 0.75
"""The part of the wait that brokers may use when there are several."""
SHORTEST_SECONDS: Final = 0.01
"""A wait is not shortened to less than this so that it ends with another one."""
EARLY_SECONDS: Final = 0.005
"""An answer this long before the end of the wait was full, or not delayed: it is passed on at once."""


class FetchWaits:
    """Decides how long each request waits, and when a round is complete. Pure except for the clock."""

    def __init__(self, collect_seconds: float, *, now: Callable[[], float]) -> None:
        """Start without brokers. `collect_seconds` bounds a wait; 0 disables it. `now` is a monotonic clock."""
        self._collect_seconds = collect_seconds
        self._now = now
        self._brokers: set[Hashable] = set()
        self._brought: set[Hashable] = set()
        self._collecting: dict[Hashable, float] = {}
        self._until = 0.0
        self._waited = 0.0
        self._hurried = False

    def asks(self, broker: Hashable, *, behind: bool) -> float | None:
        """Return for how many seconds a broker should delay its next answer; None for not at all.

        `behind` is true if messages are known to be available.
        """
        self._brokers.add(broker)
        if behind or broker not in self._brought or not self._collect_seconds:
            return None
        now, share = self._now(), self._share
        if not SHORTEST_SECONDS <= self._until - now <= share:
            self._until = now + share
        self._collecting[broker] = now
        return self._until - now

    def answered(self, broker: Hashable, *, brought: bool) -> None:
        """Called with each answer of a broker; `brought` is true if it contained messages."""
        since = self._collecting.pop(broker, None)
        if not brought:
            self._brought.discard(broker)
            return
        self._brought.add(broker)
        if since is None:
            self._hurried = True
        else:
            self._waited = max(self._waited, self._now() - since)

    def seconds_left(self) -> float:
        """Return how long an answer should wait for the answers of other brokers; 0 for not at all."""
        now, rest = self._now(), self._collect_seconds - self._share
        if self._hurried or not self._collecting or not rest or now < self._until - EARLY_SECONDS:
            return 0.0
        return max(0.0, self._until + rest - now)

    def take_waited(self) -> float:
        """End a round, and return how long its oldest message may have waited at its broker."""
        waited, self._waited, self._hurried = self._waited, 0.0, False
        return waited

    def forget(self) -> None:
        """Called when partitions are assigned: nothing is known about any broker."""
        self._brokers.clear()
        self._brought.clear()
        self._collecting.clear()
        self._until, self._waited, self._hurried = 0.0, 0.0, False

    @property
    def _share(self) -> float:
        return self._collect_seconds * (BROKERS_SHARE if len(self._brokers) > 1 else 1.0)


def is_behind(assignment: Any, request: Any) -> bool:
    """Return whether readable messages are known to be available after the start of a request."""
    for topic, partitions in request.topics:
        for number, position, _ in partitions:
            state = assignment.state_value(aiokafka.TopicPartition(topic, number))
            end = state.highwater if state.lso is None else state.lso
            if end is not None and end > position:
                return True
    return False
