"""A breaker that changes its mind: what other lanes bring can turn its answer at any moment."""

from __future__ import annotations

from pipeline.core.breaker import Breaker, BreakerLimits


class MoodyBreaker(Breaker):
    """Says no while it is told to. ``granted`` counts the dead letters that it has ever allowed."""

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
