"""Build the body of a request and decide on its answer, for the driver of a lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.delivery.decisions import Attempt, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.delivery.answers import Response
    from pipeline.delivery.api import Api
    from pipeline.delivery.decisions import RetryPolicy, Settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Builds bodies and decides on answers with the current time and random numbers.

    Attributes:
        api: The destination.
        policy: How long to wait between attempts.
        wall_clock: Returns seconds since the epoch.
        chance: Returns random numbers from 0 up to but not including 1, for backoff.
    """

    api: Api
    policy: RetryPolicy
    wall_clock: Callable[[], float]
    chance: Callable[[], float]

    def body(self, records: Sequence[bytes]) -> bytes:
        """Return the body of one attempt."""
        return self.api.build_body(records, sent_at=self.wall_clock())

    def decide(self, response: Response, *, attempt: int, sent_records: int, unclear_before: int = 0) -> Settled:
        """Return what to do about a response.

        ``unclear_before`` is how many answers directly before it left open what was accepted of the same request.
        """
        circumstances = Attempt(
            number=attempt,
            sent_records=sent_records,
            jitter=self.chance(),
            now=self.wall_clock(),
            policy=self.policy,
            unclear_before=unclear_before,
        )
        return settled(self.api.decide(response, circumstances), circumstances)
