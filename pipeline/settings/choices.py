"""The closed sets of values that settings may take."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a worker process does."""

    PROCESSOR = "processor"
    SEGMENT_SINK = "segment-sink"


class Requirement(StrEnum):
    """What a command needs to reach; settings without a default are asked for only then."""

    KAFKA = "kafka"
    SEGMENT = "segment"


class SecurityProtocol(StrEnum):
    """How Kafka's clients reach a broker."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def encrypts(self) -> bool:
        return self in {SecurityProtocol.SSL, SecurityProtocol.SASL_SSL}

    @property
    def authenticates(self) -> bool:
        return self in {SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL}


class SaslMechanism(StrEnum):
    """How a user name and password are proved to a broker."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class TopicCompression(StrEnum):
    """Kafka's `compression.type` of a topic; `producer` keeps what the producer chose."""

    PRODUCER = "producer"
    UNCOMPRESSED = "uncompressed"
    GZIP = "gzip"
    LZ4 = "lz4"
    SNAPPY = "snappy"
    ZSTD = "zstd"


class RecordsCompression(StrEnum):
    """How the processor compresses the records that it writes."""

    NONE = "none"
    GZIP = "gzip"
    LZ4 = "lz4"
    SNAPPY = "snappy"
    ZSTD = "zstd"


class Partitioning(StrEnum):
    """Which partition a record goes to: that of its source message, or that of its user key."""

    SAME = "same"
    REPARTITION = "repartition"


class GroupStart(StrEnum):
    """Where a group begins that has no committed offsets: at the log's start unless that hides a loss, or always."""

    AUTO = "auto"
    EARLIEST = "earliest"
    COMMITTED = "committed"


class SegmentRegion(StrEnum):
    """Where a Segment workspace stores its data."""

    US = "us"
    EU = "eu"


class LogLevel(StrEnum):
    """The least urgent lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """One JSON object a line, or text for people."""

    JSON = "json"
    CONSOLE = "console"


class RecordsFormat(StrEnum):
    """How the processor writes records."""

    JSON = "json"
    AVRO = "avro"


class SubjectNames(StrEnum):
    """How a registry's subjects are named; Confluent's three strategies."""

    TOPIC = "topic"
    RECORD = "record"
    TOPIC_RECORD = "topic-record"
