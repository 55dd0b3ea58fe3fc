"""Every setting: its name, its default, what it accepts and what it means. The README's table is made from this."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, PrivateAttr

from pipeline.core.destinations.segment.names import NameProfile
from pipeline.core.identity import AnonymousPolicy
from pipeline.core.policy import UnknownKinds
from pipeline.core.presets import Preset
from pipeline.settings.choices import (
    GroupStart,
    LogFormat,
    LogLevel,
    Partitioning,
    RecordsCompression,
    SegmentRegion,
)
from pipeline.settings.kafka_sections import FormatSettings, KafkaSettings, Section, TopicSettings
from pipeline.settings.memory_section import MemorySettings
from pipeline.settings.values import Folder, Host, Name, Port, ReadableFile, Url, Words, WriteKey

if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_COMMIT_SECONDS: Final = 1.0
"""What is left of a revocation for its commit, whatever the settling before it took."""


class ProcessorSettings(Section):
    """Processor."""

    processor_group: Name = Field(
        default="onesignal-pipeline-processor", description="Consumer group of the processor."
    )
    rules_file: ReadableFile | None = Field(default=None, description="The filter rules, as YAML. Excludes the preset.")
    rules_preset: Preset | None = Field(
        default=None, description="Rules that come with the program. With neither file nor preset: `keep-all`."
    )
    rules_reload_seconds: float = Field(
        default=5,
        ge=0,
        le=3_600,
        description="How often the files of rules and names are looked at for changes, which take effect between two "
        "batches; `0` is never.",
    )
    unknown_kinds: UnknownKinds = Field(
        default=UnknownKinds.REJECT, description="What happens to events of a kind that is not known."
    )
    anonymous_delivery: AnonymousPolicy = Field(
        default=AnonymousPolicy.DELIVER, description="What happens to delivery events without an external id."
    )
    anonymous_engagement: AnonymousPolicy = Field(
        default=AnonymousPolicy.DELIVER, description="What happens to engagement events without an external id."
    )
    nobody_ids: Words = Field(
        default="",
        description="Words that stand for no user where events have them as external id, separated by commas, such as "
        "`guest,1,email`; beside `null`, `anonymous` and the like, which always do.",
    )
    name_profile: NameProfile = Field(
        default=NameProfile.ONESIGNAL,
        description="Event names: OneSignal's own, those of Segment's spec, or those of `PIPELINE_NAMES_FILE`.",
    )
    names_file: ReadableFile | None = Field(
        default=None, description="Event name for each kind, as YAML. Goes with `PIPELINE_NAME_PROFILE=custom`."
    )
    partitioning: Partitioning = Field(
        default=Partitioning.SAME,
        description="`same`: records keep their event's partition number. `repartition`: by user key, where the "
        "partition counts differ; it does not bring back the order that a raw topic not keyed by user has lost.",
    )
    records_compression: RecordsCompression = Field(
        default=RecordsCompression.NONE, description="Compression of what the processor writes."
    )


class SegmentSettings(Section):
    """Segment sink."""

    segment_sink_group: Name = Field(
        default="onesignal-pipeline-segment-sink", description="Consumer group of the Segment sink."
    )
    segment_write_key: WriteKey | None = Field(
        default=None, description="Write key of the source. Required by the sink."
    )
    segment_region: SegmentRegion = Field(
        default=SegmentRegion.US, description="Region of the workspace. Segment discards what reaches the wrong one."
    )
    segment_endpoint: Url | None = Field(
        default=None, description="Full address for batches, in place of a region: a proxy, or a stand-in."
    )
    segment_flush_interval_seconds: float = Field(
        default=1.0, ge=0.01, le=60, description="The longest that a record waits for its batch to fill."
    )
    segment_max_batch_bytes: int = Field(
        default=475_000,
        ge=40_000,
        le=500_000,
        description="Size of a request's body. Segment refuses more than 500 KB.",
    )
    segment_max_batch_records: int = Field(
        default=2_500, ge=1, le=2_500, description="Records of a request. Segment discards requests of more than 2,500."
    )
    segment_lanes: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Requests in flight at a time; the partitions of a worker are shared among them.",
    )
    segment_request_timeout_seconds: float = Field(default=15, ge=1, le=300, description="How long an answer may take.")
    segment_gzip: bool = Field(default=False, description="Compress request bodies: less traffic for more CPU.")
    segment_retry_base_seconds: float = Field(
        default=0.5, ge=0.01, le=60, description="First bound of the delay of a retry."
    )
    segment_retry_max_seconds: float = Field(
        default=60, ge=0.01, le=3_600, description="Last bound of the delay of a retry."
    )
    segment_retry_after_cap_seconds: float = Field(
        default=300, ge=1, le=86_400, description="The longest `Retry-After` that is obeyed in full."
    )
    segment_max_requests_per_second: float = Field(
        default=1_000,
        ge=0,
        le=100_000,
        description="Most requests of a worker, retries included; `0` is no limit. Segment asks for at most 1,000 a "
        "workspace, so share them out among the workers.",
    )
    segment_max_records_per_second: float = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="Most records that a worker sends; `0` is no limit. Segment names 1,000 a workspace elsewhere; "
        "what it does not take it answers with 429, which is obeyed.",
    )


class WorkerSettings(Section):
    """Workers."""

    http_host: Host = Field(default="0.0.0.0", description="Where metrics and health are served.")  # noqa: S104 scraped from outside
    http_port: Port = Field(
        default=8080, description="Their port; `0` takes a free one. With `worker all` the sink takes the next."
    )
    log_level: LogLevel = Field(default=LogLevel.INFO, description="The least urgent lines that are written.")
    log_format: LogFormat = Field(default=LogFormat.JSON, description="One JSON object a line, or text for people.")
    shutdown_timeout_seconds: float = Field(
        default=20,
        ge=0.1,
        le=3_600,
        description="How long a worker settles what is in hand before it ends; with Kafka away, leaving takes up to "
        "10 s more.",
    )
    revoke_timeout_seconds: float = Field(
        default=5,
        ge=0,
        le=300,
        description="How long what is in hand of a partition that is taken away may still settle; the commit has a "
        f"part of it, and {LAST_COMMIT_SECONDS:g} s at least.",
    )
    session_timeout_seconds: float = Field(
        default=15,
        ge=1,
        le=1_800,
        description="Silence after which Kafka takes a worker for dead. Brokers allow 6 to 1,800 by default.",
    )
    rebalance_timeout_seconds: float = Field(
        default=30,
        ge=1,
        le=1_800,
        description="How long Kafka waits for the members of a group when it is shared anew.",
    )
    max_poll_interval_seconds: float = Field(
        default=604_800, ge=1, le=2_000_000, description="How long a worker may hold without leaving its group."
    )
    stall_timeout_seconds: float = Field(
        default=300,
        ge=1,
        le=86_400,
        description="A worker is not alive when a partition with lag has not got on for so long, for no known reason.",
    )
    fetch_max_wait_ms: int = Field(
        default=100,
        ge=0,
        le=1_000,
        description="How long messages are collected before a worker takes them, at an ordinary rate; `0` takes each "
        "at once, at several times the CPU. A sink's wait is a part of its flush interval. A backlog never waits.",
    )
    max_poll_records: int = Field(default=1_000, ge=1, le=100_000, description="Most messages of one record batch.")
    max_messages_in_hand: int = Field(
        default=2_000,
        ge=1,
        le=1_000_000,
        description="Unsettled messages of a partition at which its fetching waits; one more fetch may come on top.",
    )
    max_bytes_in_hand: int = Field(
        default=4_194_304,
        ge=16_384,
        le=1_073_741_824,
        description="The same in bytes of keys and values, whichever is reached first.",
    )
    fetch_max_bytes: int = Field(
        default=1_048_576, ge=16_384, le=104_857_600, description="Most bytes that one fetch brings of a partition."
    )
    max_unpacked_batch_bytes: int = Field(
        default=33_554_432,
        ge=1_048_576,
        le=1_073_741_824,
        description="Most memory for compressed batches that are unpacked, of all partitions of a worker together. One "
        "that needs more holds its partition.",
    )
    commit_interval_seconds: float = Field(
        default=1.0,
        ge=0.05,
        le=300,
        description="How long after a failed commit the next one is tried, if nothing is settled before.",
    )
    topic_watch_seconds: float = Field(
        default=15, ge=0.1, le=3_600, description="How often a worker looks whether its topics are still the same."
    )
    clock_max_difference_seconds: float = Field(
        default=600,
        ge=60,
        le=86_400,
        description="How far this machine's clock may be from the brokers'. A worker whose clock is further off holds.",
    )
    group_start: GroupStart = Field(
        default=GroupStart.AUTO,
        description="What a worker does when its group has no committed offsets. `auto`: begin at the start of the "
        "log, but refuse where it seems that they were lost. `earliest`: always begin. `committed`: always refuse.",
    )
    dead_letter_max_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="When more than this share of the latest records would become dead letters, a worker holds and "
        "writes none; `1` never holds. Ten are always allowed.",
    )
    dead_letter_window: int = Field(
        default=2_000, ge=1, le=1_000_000, description="How many records are the latest, for that share."
    )
    data_directory: Folder | None = Field(
        default=None, description="Where a worker may write; nothing of value is kept. Without it a temporary folder."
    )


SECTIONS: Final[tuple[type[Section], ...]] = (
    KafkaSettings,
    TopicSettings,
    FormatSettings,
    ProcessorSettings,
    MemorySettings,
    SegmentSettings,
    WorkerSettings,
)
FIELDS: Final = tuple(field for section in SECTIONS for field in section.model_fields)


class Settings(
    KafkaSettings,
    TopicSettings,
    FormatSettings,
    ProcessorSettings,
    MemorySettings,
    SegmentSettings,
    WorkerSettings,
):
    """Everything that the environment decides, read once. The validation's context is the secrets' files, by field."""

    _files: dict[str, Path] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        """Remember which secrets came from files."""
        files: Mapping[str, Path] = context or {}
        self._files.update(files)

    def secret_file(self, field: str) -> Path | None:
        """Return the file that a secret was read from; None when it came from the environment itself."""
        return self._files.get(field)
