"""The settings of state: what the pipeline remembers between messages."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from pipeline.settings.kafka_sections import Section
from pipeline.settings.values import Hours, LongSecret

LONGEST_MONTH_HOURS: Final = 31 * 24


class StateSettings(Section):
    """Tracked users and late engagements."""

    tracked_users_secret: LongSecret | None = Field(
        default=None,
        description="Key of the hashes that stand for tracked users. Setting it enables tracking, which "
        "`tracked_only` rules need. It must stay the same: another one is refused.",
    )
    tracked_users_topic_retention_hours: Hours = Field(
        default=936,
        description="How long tracked users are kept. The default is a month of 31 days, the raw topic's retention "
        "of 7 days, and a day.",
    )
    billing_month_start_day: int = Field(
        default=1, ge=1, le=28, description="Day on which Segment's billing month begins, in UTC."
    )
    message_catalogue: bool = Field(
        default=False,
        description="Whether engagement events after 30 days, when OneSignal no longer reports the message's "
        "content, are completed from earlier events of the same message.",
    )
    message_catalogue_days: int = Field(
        default=90, ge=1, le=3_650, description="How long the content of a message is kept."
    )
