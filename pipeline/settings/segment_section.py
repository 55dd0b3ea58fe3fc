"""The settings of Segment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from pipeline.core.destinations.segment.names import NameProfile
from pipeline.settings.choices import SegmentRegion
from pipeline.settings.destination_section import DestinationSettings
from pipeline.settings.values import Hours, Name, ReadableFile, Topic, Url, Words, WriteKey


class SegmentSettings(DestinationSettings):
    """Segment sink."""

    # Segment was the first destination: what its processor uses has no prefix, and is listed with the common settings.
    prefix: ClassVar[str] = "segment"
    credential: ClassVar[str] = "write_key"
    without_prefix: ClassVar[frozenset[str]] = frozenset(
        {
            "processor_group",
            "records_topic",
            "records_topic_retention_hours",
            "rules_file",
            "rules_preset",
            "name_profile",
            "names_file",
            "anonymous_delivery",
            "anonymous_engagement",
            "tracked_users_topic",
            "tracked_users_feed_topic",
            "message_catalogue_topic",
        }
    )
    listed_before: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "dead_letter_topic": ("records_topic",),
        "dead_letter_topic_retention_hours": ("records_topic_retention_hours",),
        "rules_reload_seconds": ("processor_group", "rules_file", "rules_preset"),
        "nobody_ids": ("anonymous_delivery", "anonymous_engagement"),
        "partitioning": ("name_profile", "names_file"),
        "tracked_users_topic_retention_hours": ("tracked_users_topic",),
        "billing_month_start_day": ("tracked_users_feed_topic",),
        "message_catalogue_days": ("message_catalogue_topic",),
        "segment_endpoint": ("segment_write_key", "segment_region"),
    }

    processor_group: Name = Field(
        default="onesignal-pipeline-processor", description="Consumer group of the processor."
    )
    sink_group: Name = Field(
        default="onesignal-pipeline-segment-sink", description="Consumer group of the Segment sink."
    )
    records_topic: Topic = Field(default="segment.records", description="Records that wait to be sent to Segment.")
    records_topic_retention_hours: Hours = Field(
        default=168, description="How long records are kept. An outage of Segment that is longer loses records."
    )
    name_profile: NameProfile = Field(
        default=NameProfile.ONESIGNAL,
        description="Event names: OneSignal's own, those of Segment's spec, or those of `PIPELINE_NAMES_FILE`.",
    )
    names_file: ReadableFile | None = Field(
        default=None, description="Event name for each kind, as YAML. Requires `PIPELINE_NAME_PROFILE=custom`."
    )
    tracked_users_topic: Topic = Field(
        default="onesignal.tracked-users",
        description="Users tracked in each month. As many partitions as the raw topic.",
    )
    tracked_users_feed_topic: Topic | None = Field(
        default=None,
        description="Users that Segment has already counted through other sources: the key is the user id, the "
        "timestamp gives the month, and the value must not be null. Keyed and partitioned like the raw topic. "
        "Default: no feed.",
    )
    message_catalogue_topic: Topic = Field(
        default="onesignal.message-catalogue", description="Content of messages; a topic with one partition."
    )
    write_key: WriteKey | None = Field(default=None, description="Write key of the source. Required by the sink.")
    region: SegmentRegion = Field(
        default=SegmentRegion.US,
        description="Region of the workspace. Segment discards records that are sent to the wrong one.",
    )
    endpoint: Url | None = Field(
        default=None, description="Full address for batches instead of a region, such as that of a proxy."
    )
    integrations_off: Words = Field(
        default="",
        description="Integrations that Segment does not forward the records to, separated by commas, such as "
        "`Mixpanel (Actions)`. Without it, a workspace that forwards to Mixpanel delivers every event there a second "
        "time, under names that count.",
    )
    max_batch_bytes: int = Field(
        default=475_000,
        ge=40_000,
        le=500_000,
        description="Size of a request's body. Segment refuses more than 500 KB.",
    )
    max_batch_records: int = Field(
        default=2_500,
        ge=1,
        le=2_500,
        description="Records in a request. Segment discards requests with more than 2,500.",
    )
    max_requests_per_second: float = Field(
        default=1_000,
        ge=0,
        le=100_000,
        description="Requests per second of a worker, retries included; `0` is no limit. Segment asks for at most "
        "1,000 per workspace, so divide them among the workers.",
    )
    max_records_per_second: float = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="Records per second of a worker; `0` is no limit. Segment elsewhere names 1,000 per workspace; "
        "it answers excess with 429, which is obeyed.",
    )
