"""A breaker whose answer can change at any moment, as it does with the outcomes of other lanes."""

from __future__ import annotations

from pipeline.core.breaker import Breaker, BreakerLimits


class MoodyBreaker(Breaker):
    """A breaker that refuses while ``says_no`` is set. ``granted`` counts the dead letters that it has allowed."""

    def __init__(self) -> None:
        super().__init__(BreakerLimits(max_share=1.0))
        self.says_no = False
        self.granted = 0

    def allows(self, *, records: int, bad: int, own: int = 0) -> bool:
        if self.says_no and bad:
            return False
        self.granted += bad - own
        return super().allows(records=records, bad=bad, own=own)

    @property
    def reserved(self) -> int:
        return self._reserved
