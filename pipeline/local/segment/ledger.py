"""The ledger of the Segment stand-in: the first acceptance of each record, and counts of what was discarded."""

from __future__ import annotations

from enum import StrEnum

from pipeline.local.stand_ins import ledger as shared


class Discard(StrEnum):
    """Why records were discarded although the answer was 200."""

    UNKNOWN_KEY = "unknown_key"
    TOO_MANY_RECORDS = "too_many_records"
    NO_TYPE = "no_type"
    NO_USER = "no_user"
    NO_EVENT_NAME = "no_event_name"
    DUPLICATE = "duplicate"


class SeenRequest(shared.SeenRequest, frozen=True, kw_only=True):
    """One request that was read completely, with its ``sentAt``."""

    sent_at: str | None = None


class Ledger(shared.Ledger[Discard, SeenRequest]):
    """Store the first acceptance of each messageId; its user is the userId, else the anonymousId."""

    def __init__(self) -> None:
        super().__init__(reasons=Discard, request=SeenRequest)

    def accept(self, message_id: str, user: str) -> None:
        """Accept a record, or discard it as a duplicate."""
        if message_id in self.accepted:
            self.discarded[Discard.DUPLICATE] += 1
        else:
            self.accepted[message_id] = user
