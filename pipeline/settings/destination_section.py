"""The settings that every destination has. Each destination has its own section, with its defaults and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from pipeline.core.identity import AnonymousPolicy
from pipeline.core.presets import Preset
from pipeline.settings.kafka_sections import Section
from pipeline.settings.values import Hours, Name, ReadableFile, Topic


class DestinationSettings(Section):
    """What a processor and a sink need to know of their destination.

    A subclass gives a default to every field without one, and its own bounds where the destination has limits. The
    name of a setting is the prefix and the field, such as `segment_lanes`.
    """

    prefix: ClassVar[str]
    credential: ClassVar[str]
    """The field of the credential that most users set."""
    without_prefix: ClassVar[frozenset[str]] = frozenset()
    """The fields whose setting has the field's own name."""
    listed_before: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Settings that the reference lists elsewhere than in the order of the fields, by the setting that they precede."""

    processor_group: Name
    sink_group: Name
    records_topic: Topic
    records_topic_retention_hours: Hours
    rules_file: ReadableFile | None = Field(
        default=None, description="Filter rules, as YAML. Cannot be combined with the preset."
    )
    rules_preset: Preset | None = Field(
        default=None, description="Built-in filter rules. With neither file nor preset: `keep-all`."
    )
    names_file: ReadableFile | None
    anonymous_delivery: AnonymousPolicy = Field(
        default=AnonymousPolicy.DELIVER, description="What happens to delivery events without an external id."
    )
    anonymous_engagement: AnonymousPolicy = Field(
        default=AnonymousPolicy.DELIVER, description="What happens to engagement events without an external id."
    )
    tracked_users_topic: Topic
    tracked_users_feed_topic: Topic | None
    message_catalogue_topic: Topic
    endpoint: str | None
    flush_interval_seconds: float = Field(
        default=1.0, ge=0.01, le=60, description="The longest time that a record waits for its batch to fill."
    )
    max_batch_bytes: int
    max_batch_records: int
    lanes: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Concurrent requests; a worker's partitions are divided among them.",
    )
    request_timeout_seconds: float = Field(
        default=15, ge=1, le=300, description="How long a request may wait for its answer."
    )
    gzip: bool = Field(default=False, description="Compress request bodies: less traffic, more CPU.")
    retry_base_seconds: float = Field(
        default=0.5, ge=0.01, le=60, description="Upper bound of the first retry's delay; it doubles with every retry."
    )
    retry_max_seconds: float = Field(default=60, ge=0.01, le=3_600, description="Upper bound of every retry's delay.")
    retry_after_cap_seconds: float = Field(
        default=300, ge=1, le=86_400, description="The longest `Retry-After` that is obeyed in full."
    )
    max_requests_per_second: float
    max_records_per_second: float

    @property
    def has_credentials(self) -> bool:
        """Whether a credential of the destination is set, so that `worker all` runs it."""
        return getattr(self, self.credential) is not None

    @property
    def is_in_use(self) -> bool:
        """Whether anything of the destination is set, so that its topics exist and its settings matter."""
        return self.has_credentials or bool(self.model_fields_set)

    @classmethod
    def setting(cls, field: str) -> str:
        """Return the name of a field's setting."""
        return field if field in cls.without_prefix else f"{cls.prefix}_{field}"
