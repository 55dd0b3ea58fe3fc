"""The Kafka headers that the pipeline writes: their names, and the format versions."""

from __future__ import annotations

SOURCE_TOPIC = "source-topic"
SOURCE_PARTITION = "source-partition"
SOURCE_OFFSET = "source-offset"
FORMAT_VERSION = "format-version"
RULES_VERSION = "rules-version"
"""The policy that decided (`pipeline.core.policy.Policy.version`): rules, identity, names and the shape of records."""
STAGE = "stage"
REASON = "reason"
REJECTED_AT = "rejected-at"

RECORD_FORMAT = b"1"
"""Version of the records topic: value = a destination's call as JSON. A sink holds at an unknown version."""
AVRO_RECORD_FORMAT = b"2"
"""The same call as Avro (`schemas/avro`), in the wire format of a schema registry."""
DEAD_LETTER_FORMAT = b"1"
"""Version of the dead-letter topic: key and value are the rejected message's own bytes."""
DESTINATION = "destination"
