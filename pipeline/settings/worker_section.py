"""The settings of every worker."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from pipeline.settings.choices import GroupStart, LogFormat, LogLevel
from pipeline.settings.kafka_sections import Section
from pipeline.settings.values import Folder, Host, Port

LAST_COMMIT_SECONDS: Final = 1.0
"""The part of a revocation that is reserved for its commit, however long the settling before it took."""


class WorkerSettings(Section):
    """Workers."""

    http_host: Host = Field(default="0.0.0.0", description="Address on which metrics and health are served.")  # noqa: S104 scraped from outside
    http_port: Port = Field(
        default=8080,
        description="Port of metrics and health; `0` is a free one. With `worker all`, the sink uses the next port.",
    )
    log_level: LogLevel = Field(default=LogLevel.INFO, description="The lowest level that is logged.")
    log_format: LogFormat = Field(default=LogFormat.JSON, description="JSON, one object per line, or text for people.")
    shutdown_timeout_seconds: float = Field(
        default=20,
        ge=0.1,
        le=3_600,
        description="How long a worker settles what it has fetched before it ends; if Kafka does not answer, leaving "
        "takes up to 10 s more.",
    )
    revoke_timeout_seconds: float = Field(
        default=5,
        ge=0,
        le=300,
        description="How long messages of a revoked partition may still settle; the commit gets a part of that time, "
        f"at least {LAST_COMMIT_SECONDS:g} s.",
    )
    session_timeout_seconds: float = Field(
        default=15,
        ge=1,
        le=1_800,
        description="Silence after which Kafka considers a worker dead. Brokers allow 6 to 1,800 by default.",
    )
    rebalance_timeout_seconds: float = Field(
        default=30,
        ge=1,
        le=1_800,
        description="How long Kafka waits for the members of a group in a rebalance.",
    )
    max_poll_interval_seconds: float = Field(
        default=604_800, ge=1, le=2_000_000, description="How long a worker may hold without leaving its group."
    )
    stall_timeout_seconds: float = Field(
        default=300,
        ge=1,
        le=86_400,
        description="A worker is not alive when a partition with lag has made no progress for this long, without a "
        "known reason.",
    )
    fetch_max_wait_ms: int = Field(
        default=100,
        ge=0,
        le=1_000,
        description="How long messages are collected before a worker processes them, at an ordinary rate; `0` "
        "processes each at once, at several times the CPU. In a sink it is a part of the flush interval. A backlog "
        "never waits.",
    )
    max_poll_records: int = Field(default=1_000, ge=1, le=100_000, description="Messages of a partition in one batch.")
    max_messages_in_hand: int = Field(
        default=2_000,
        ge=1,
        le=1_000_000,
        description="Unsettled messages of a partition at which fetching pauses; one more fetch may be added.",
    )
    max_bytes_in_hand: int = Field(
        default=4_194_304,
        ge=16_384,
        le=1_073_741_824,
        description="The same in bytes of keys and values, whichever is reached first.",
    )
    fetch_max_bytes: int = Field(
        default=1_048_576, ge=16_384, le=104_857_600, description="Most bytes that one fetch returns of a partition."
    )
    max_unpacked_batch_bytes: int = Field(
        default=33_554_432,
        ge=1_048_576,
        le=1_073_741_824,
        description="Memory for decompressed batches of all partitions of a worker together. A batch that needs more "
        "holds its partition.",
    )
    commit_interval_seconds: float = Field(
        default=1.0,
        ge=0.05,
        le=300,
        description="Delay after which a failed commit is retried, unless more is settled before.",
    )
    topic_watch_seconds: float = Field(
        default=15, ge=0.1, le=3_600, description="How often a worker checks that its topics are still the same."
    )
    clock_max_difference_seconds: float = Field(
        default=600,
        ge=60,
        le=86_400,
        description="How far this machine's clock may differ from the brokers'. With a larger difference a worker "
        "holds.",
    )
    group_start: GroupStart = Field(
        default=GroupStart.AUTO,
        description="What a worker does when its group has no committed offsets. `auto`: start at the beginning of "
        "the log, but refuse if offsets seem to have been lost. `earliest`: always start there. `committed`: always "
        "refuse.",
    )
    dead_letter_max_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="When more than this share of the latest records would become dead letters, a worker holds and "
        "writes none; `1` never holds. Ten are always allowed.",
    )
    dead_letter_window: int = Field(
        default=2_000, ge=1, le=1_000_000, description="How many records count as the latest for that share."
    )
    data_directory: Folder | None = Field(
        default=None,
        description="Folder that a worker may write to; nothing of value is kept there. Default: a temporary folder.",
    )
