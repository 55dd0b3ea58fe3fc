"""Kafka's metadata request with topic ids, which distinguish a topic from a later one of the same name.

aiokafka supports this request up to version 5; topic ids need version 10 (KIP-516). We use version 12, of Kafka 3.1;
with older brokers the ids are unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v4
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import BytesIO

_WITH_IDS = 12
_NO_ID = bytes(16)


class _Uuid:
    """A field of sixteen bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(len(_NO_ID))

    @classmethod
    def repr(cls, value: bytes) -> str:
        return value.hex()


class MetadataResponse_v12(Response):  # type: ignore[misc] # aiokafka's classes have no usable types  # noqa: N801
    """Brokers, and topics with their ids."""

    API_KEY = 3
    API_VERSION = _WITH_IDS
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class MetadataRequest_v12(RequestStruct):  # type: ignore[misc] # aiokafka's classes have no usable types  # noqa: N801
    """Requests topics by name."""

    API_KEY = 3
    API_VERSION = _WITH_IDS
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = MetadataResponse_v12
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("topic", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicsRequest(Request[MetadataRequest_v4 | MetadataRequest_v12]):  # type: ignore[misc] # aiokafka's classes have no usable types
    """Requests some topics, in the highest version that the broker supports. Creates no topic."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: Any) -> Any:
        """Return the request in one version."""
        if request_struct_class is MetadataRequest_v4:
            return MetadataRequest_v4(self._topics, False)  # noqa: FBT003 - aiokafka's structs take no keywords
        return MetadataRequest_v12([(_NO_ID, name, {}) for name in self._topics], False, False, {})  # noqa: FBT003


def topic_id(topic: dict[str, Any]) -> bytes | None:
    """Return the id of a described topic; None if the broker reports none."""
    identity: bytes = topic.get("topic_id", _NO_ID)
    return None if identity == _NO_ID else identity
