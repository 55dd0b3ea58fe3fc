"""The settings of Kafka: the connection, topics and formats."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.avro.schema_book import RawFormat
from pipeline.settings.choices import RecordsFormat, SaslMechanism, SecurityProtocol, SubjectNames, TopicCompression
from pipeline.settings.values import Hours, Partitions, ReadableFile, RegistryUrl, Secret, Servers, Text, Topic


class Section(BaseModel):
    """Settings that belong together; frozen, and unknown names are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KafkaSettings(Section):
    """Kafka connection."""

    kafka_bootstrap_servers: Servers | None = Field(
        default=None, description="Brokers of the cluster. Required by everything that connects to Kafka."
    )
    kafka_security_protocol: SecurityProtocol = Field(
        default=SecurityProtocol.PLAINTEXT, description="Protocol of the brokers; `SASL_SSL` for most hosted clusters."
    )
    kafka_sasl_mechanism: SaslMechanism = Field(default=SaslMechanism.PLAIN, description="SASL mechanism.")
    kafka_sasl_username: Text | None = Field(default=None, description="User name (an API key, for some hosts).")
    kafka_sasl_password: Secret | None = Field(default=None, description="Password.")
    kafka_ssl_ca_file: ReadableFile | None = Field(
        default=None, description="Trusted CA certificates, as PEM. Default: those of the system."
    )
    kafka_ssl_certificate_file: ReadableFile | None = Field(
        default=None, description="This client's certificate, as PEM."
    )
    kafka_ssl_key_file: ReadableFile | None = Field(
        default=None, description="The private key of that certificate, as PEM."
    )
    kafka_ssl_key_password: Secret | None = Field(default=None, description="Password of the private key.")
    kafka_ssl_check_hostname: bool = Field(
        default=True, description="Whether the broker's certificate must carry the broker's host name."
    )


class TopicSettings(Section):
    """Topics."""

    raw_topic: Topic = Field(default="onesignal.events", description="OneSignal's events as received, keyed by user.")
    dead_letter_topic: Topic = Field(
        default="onesignal.dead-letters", description="Rejected messages, with the reason."
    )
    topic_partitions: Partitions = Field(
        default=12,
        description="Partitions of the topics that `topics create` creates. More workers than partitions are of no "
        "use.",
    )
    dead_letter_topic_partitions: Partitions | None = Field(
        default=None, description="The same for the dead-letter topic. Default: `PIPELINE_TOPIC_PARTITIONS`."
    )
    topic_replication_factor: int = Field(
        default=3, ge=1, le=100, description="Replicas of each partition; 1 on a cluster of one broker."
    )
    raw_topic_retention_hours: Hours = Field(default=168, description="How long raw events are kept.")
    dead_letter_topic_retention_hours: Hours = Field(default=720, description="How long dead letters are kept.")
    topic_compression: TopicCompression = Field(
        default=TopicCompression.PRODUCER, description="Kafka's `compression.type` of the topics that are created."
    )


class FormatSettings(Section):
    """Formats and schema registry."""

    raw_format: RawFormat = Field(
        default=RawFormat.JSON,
        description="Format of raw events. `avro`: Confluent's wire format or single objects. `auto`: Avro or JSON, "
        "decided for each message by its first bytes.",
    )
    records_format: RecordsFormat = Field(
        default=RecordsFormat.JSON,
        description="Format of the records that the processor writes. A sink with a registry reads both. `json` is "
        "faster.",
    )
    raw_schema_file: ReadableFile | None = Field(
        default=None,
        description="Avro schema of single objects in the raw topic; they need no registry then.",
    )
    schema_registry_url: RegistryUrl | None = Field(
        default=None, description="Schema registry: Confluent's, or one with a compatible API."
    )
    schema_registry_username: Text | None = Field(default=None, description="User name (an API key, for some hosts).")
    schema_registry_password: Secret | None = Field(default=None, description="Password.")
    schema_registry_ca_file: ReadableFile | None = Field(
        default=None, description="Trusted CA certificates, as PEM. Default: the usual public ones."
    )
    schema_registry_subject_names: SubjectNames = Field(
        default=SubjectNames.TOPIC,
        description="Subjects are named after the topic (`topic`: `<topic>-value`), the schema's full name "
        "(`record`), or both (`topic-record`).",
    )
