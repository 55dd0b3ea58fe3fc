"""Kafka's DescribeQuorum request, whose answer contains the cluster's present time.

The active controller reports when each voter last fetched from it, by its own clock, and for itself the present time
(KIP-836, Kafka 3.3). The request requires the operation Describe on the cluster. aiokafka does not support it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

if TYPE_CHECKING:
    from collections.abc import Mapping

_API: Final = 55
_TEXT: Final = CompactString("utf-8")
_METADATA_LOG: Final = "__cluster_metadata"
_REPLICAS: Final = CompactArray(
    ("replica_id", Int32),
    ("log_end_offset", Int64),
    ("last_fetch_timestamp", Int64),
    ("last_caught_up_timestamp", Int64),
    ("tags", TaggedFields),
)


class QuorumResponse_v1(Response):  # type: ignore[misc] # aiokafka's classes have no usable types  # noqa: N801
    """Voters and observers of the metadata log, with times of the active controller's clock."""

    API_KEY = _API
    API_VERSION = 1
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("high_watermark", Int64),
                        ("voters", _REPLICAS),
                        ("observers", _REPLICAS),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class QuorumRequest_v1(RequestStruct):  # type: ignore[misc] # aiokafka's classes have no usable types  # noqa: N801
    """Requests the state of the quorum of some partitions."""

    API_KEY = _API
    API_VERSION = 1
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = QuorumResponse_v1
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                ("partitions", CompactArray(("partition", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class QuorumRequest(Request[QuorumRequest_v1]):  # type: ignore[misc] # aiokafka's classes have no usable types
    """Requests the state of the metadata log's quorum."""

    API_KEY = _API

    def build(self, request_struct_class: Any) -> Any:
        """Return the request."""
        return request_struct_class([(_METADATA_LOG, [(0, {})], {})], {})


def present_ms(answer: Mapping[str, Any]) -> int | None:
    """Return the active controller's present time in milliseconds since the epoch; None if it reports none."""
    times = [
        max(voter["last_fetch_timestamp"], voter["last_caught_up_timestamp"])
        for topic in answer["topics"]
        for partition in topic["partitions"]
        for voter in partition["voters"]
    ]
    latest: int = max(times, default=-1)
    return latest if latest > 0 else None
