"""Why a worker stops sending and keeps everything, as a closed enum: safe as a metric label."""

from __future__ import annotations

from enum import StrEnum


class HoldReason(StrEnum):
    """The cause of a hold. `/readyz` and the log describe what to check."""

    BREAKER = "breaker"
    """Too many of the last messages would become dead letters."""
    DESTINATION_REFUSES = "destination_refuses"
    """The destination's answers show that it will accept nothing: wrong credentials, wrong address, unknown answer."""
    CERTIFICATE = "certificate"
    """The TLS certificate of Kafka or of the destination is not trusted: expired, of another host or self-signed."""
    UNKNOWN_FORMAT = "unknown_format"
    """A newer processor wrote records that this sink does not know."""
    MESSAGE_TOO_LARGE = "message_too_large"
    """Kafka refuses a message until a topic's limit is raised."""
    UNREADABLE = "unreadable"
    """A partition contains bytes that cannot be read, or that exceed the limit when decompressed."""
    SCHEMA_REGISTRY_AWAY = "schema_registry_away"
    STATE_AWAY = "state_away"
    """The state of a partition cannot be read at the moment."""
    PARTITIONS_ADDED = "partitions_added"
    """A topic has more partitions than the worker knows, and their messages wait."""
    KAFKA_AWAY = "kafka_away"
    CLOCK = "clock"
    """This machine's clock is wrong, or Kafka refuses the time of messages."""
    KAFKA_REFUSES = "kafka_refuses"
    """Kafka refuses a write, or this user, for another reason than size, until an operator acts."""
    TOPIC_SETTINGS = "topic_settings"
    """A topic now has settings that lose messages."""
