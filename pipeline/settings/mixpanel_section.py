"""The settings of Mixpanel."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from pipeline.core.destinations.mixpanel.identity import AnonymousId
from pipeline.core.destinations.mixpanel.mtu import MtuReading
from pipeline.settings.choices import MixpanelRegion
from pipeline.settings.destination_section import DestinationSettings
from pipeline.settings.values import Hours, MixpanelUrl, Name, PlainSecret, PlainText, ProjectId, ReadableFile, Topic


class MixpanelSettings(DestinationSettings):
    """Mixpanel processor and sink."""

    prefix: ClassVar[str] = "mixpanel"
    credential: ClassVar[str] = "project_token"

    project_token: PlainSecret | None = Field(
        default=None,
        description="Token of the project. The sink requires either this or a service account.",
    )
    service_account: PlainText | None = Field(
        default=None, description="User name of a service account that may import into the project."
    )
    service_account_secret: PlainSecret | None = Field(default=None, description="Secret of the service account.")
    project_id: ProjectId | None = Field(
        default=None, description="Number of the project. Required with a service account."
    )
    region: MixpanelRegion = Field(
        default=MixpanelRegion.US,
        description="Where the project stores its data. Events that are sent to another region are lost.",
    )
    endpoint: MixpanelUrl | None = Field(
        default=None, description="Full address of the import call instead of a region, such as that of a proxy."
    )
    processor_group: Name = Field(
        default="onesignal-pipeline-mixpanel-processor", description="Consumer group of the processor."
    )
    sink_group: Name = Field(
        default="onesignal-pipeline-mixpanel-sink", description="Consumer group of the Mixpanel sink."
    )
    records_topic: Topic = Field(default="mixpanel.records", description="Records that wait to be sent to Mixpanel.")
    records_topic_retention_hours: Hours = Field(
        default=168, description="How long records are kept. An outage of Mixpanel that is longer loses records."
    )
    names_file: ReadableFile | None = Field(
        default=None,
        description="Event name for each kind, as YAML; kinds that it does not list keep their names. Names decide "
        "which events are exempt from MTU billing.",
    )
    mtu_rules: MtuReading = Field(
        default=MtuReading.PROSE,
        description="How Mixpanel's pages about exempt events are read. `prose`: opens and clicks count. `list`: "
        "`$campaign_open` and `$app_open` are exempt too.",
    )
    anonymous_id: AnonymousId = Field(
        default=AnonymousId.DEVICE,
        description="`distinct_id` of events without an external id. `device`: `$device:` and the subscription id. "
        "`subscription`: the bare subscription id, only for Original ID Merge projects whose `$onesignal_user_id` "
        "holds the Player ID.",
    )
    send_device_id: bool = Field(
        default=False,
        description="Whether events of known users also carry the subscription id as `$device_id`. Mixpanel then "
        "merges that device and that user for ever.",
    )
    tracked_users_topic: Topic = Field(
        default="mixpanel.tracked-users",
        description="Users that Mixpanel counts in each month. As many partitions as the raw topic.",
    )
    tracked_users_feed_topic: Topic | None = Field(
        default=None,
        description="Users that Mixpanel has already counted through other sources, in the format of "
        "`PIPELINE_TRACKED_USERS_FEED_TOPIC`. Default: no feed.",
    )
    message_catalogue_topic: Topic = Field(
        default="mixpanel.message-catalogue",
        description="Content of messages for Mixpanel's processor; a topic with one partition.",
    )
    max_batch_bytes: int = Field(
        default=2_000_000,
        ge=100_000,
        le=2_000_000,
        description="Size of a request's body before compression. Mixpanel's pages name 10 MB and 2 MiB; this is "
        "below both.",
    )
    max_batch_records: int = Field(
        default=2_000, ge=1, le=2_000, description="Records in a request. Mixpanel accepts at most 2,000."
    )
    request_timeout_seconds: float = Field(
        default=30, ge=1, le=300, description="How long a request may wait for its answer."
    )
    gzip: bool = Field(default=True, description="Compress request bodies: less traffic, more CPU.")
    retry_base_seconds: float = Field(
        default=2,
        ge=0.01,
        le=60,
        description="The first retry's delay, which doubles with every retry; 1 to 5 seconds of jitter are added.",
    )
    retry_max_seconds: float = Field(
        default=60, ge=0.01, le=3_600, description="The longest delay of a retry, without the jitter."
    )
    max_requests_per_second: float = Field(
        default=0, ge=0, le=100_000, description="Requests per second of a worker, retries included; `0` is no limit."
    )
    max_records_per_second: float = Field(
        default=30_000,
        ge=0,
        le=10_000_000,
        description="Records per second of a worker; `0` is no limit. Mixpanel allows about 30,000 per project, so "
        "divide them among the workers.",
    )

    @property
    def has_credentials(self) -> bool:
        """Whether a token or a part of a service account is set."""
        parts = (self.project_token, self.service_account, self.service_account_secret, self.project_id)
        return any(part is not None for part in parts)
