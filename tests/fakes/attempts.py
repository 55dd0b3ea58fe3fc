"""An attempt to send, and what it means for an answer of which nothing is known."""

from __future__ import annotations

from typing import Final

from pipeline.delivery.decisions import Attempt, Retry, RetryPolicy

RETRIES: Final = RetryPolicy(base_seconds=1.0, max_seconds=60.0, retry_after_cap_seconds=300.0)
ATTEMPT: Final = Attempt(number=2, sent_records=3, jitter=0.5, now=0.0, policy=RETRIES)
"""The second attempt to send three records."""
UNKNOWN: Final = Retry(after_seconds=1.0)
"""The decision of that attempt when the result is unknown: half of the doubled delay."""
