"""The closed sets of values that settings may take."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a worker is started as. `pipeline.bootstrap.roles` describes each role."""

    PROCESSOR = "processor"
    SEGMENT_SINK = "segment-sink"
    MIXPANEL_PROCESSOR = "mixpanel-processor"
    MIXPANEL_SINK = "mixpanel-sink"


class Requirement(StrEnum):
    """What a command must reach; settings without a default are required only by such commands."""

    KAFKA = "kafka"
    SEGMENT = "segment"
    MIXPANEL = "mixpanel"


class SecurityProtocol(StrEnum):
    """How clients connect to a broker."""

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
    """How a client authenticates with user name and password."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class TopicCompression(StrEnum):
    """Kafka's `compression.type` of a topic; `producer` keeps the producer's choice."""

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
    """The partition of a record: that of its source message, or that of its user key."""

    SAME = "same"
    REPARTITION = "repartition"


class GroupStart(StrEnum):
    """Where a group without committed offsets begins: at the log's start unless that would hide a loss, or always."""

    AUTO = "auto"
    EARLIEST = "earliest"
    COMMITTED = "committed"


class SegmentRegion(StrEnum):
    """Where a Segment workspace stores its data."""

    US = "us"
    EU = "eu"


class MixpanelRegion(StrEnum):
    """Where a Mixpanel project stores its data."""

    US = "us"
    EU = "eu"
    IN = "in"


class LogLevel(StrEnum):
    """The lowest level of messages that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """JSON, one object per line, or text for people."""

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
