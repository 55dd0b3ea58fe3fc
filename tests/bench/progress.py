"""The current step of a long measurement, and the estimated remaining time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Progress:
    """Steps with the expected seconds of each, in order."""

    def __init__(
        self,
        steps: Sequence[tuple[str, float]],
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._steps = list(steps)
        self._tell = tell
        self._clock = clock
        self._started = clock()
        self._begun = 0

    @property
    def expected_seconds(self) -> float:
        """Return the expected time of all steps."""
        return sum(seconds for _, seconds in self._steps)

    def begin(self, name: str) -> None:
        """Print that a step begins.

        Raises:
            ValueError: it is not the next one.
        """
        expected, _ = self._steps[self._begun]
        if name != expected:
            raise ValueError(f"the next step is {expected}, not {name}")
        self._begun += 1
        self._tell(f"[{self._begun}/{len(self._steps)}] {name}; about {_minutes(self._left())} left")

    def _left(self) -> float:
        """Return the estimated remaining seconds, based on the speed of the steps before."""
        before = sum(seconds for _, seconds in self._steps[: self._begun - 1])
        rest = self.expected_seconds - before
        pace = (self._clock() - self._started) / before if before else 1.0
        return rest * max(0.5, pace)


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d} min"
