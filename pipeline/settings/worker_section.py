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
