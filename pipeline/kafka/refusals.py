"""Writes that a broker refuses until an operator acts: what each error means, and what to do about it.

All other errors are retried, because a later attempt may succeed: brokers are away or change, or a new producer solves
the problem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import errors

from pipeline.core.hold_reasons import HoldReason
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Mapping


class Refusal(NamedTuple):
    """Why a write waits for an operator, as one sentence with the remedy, and as a hold reason for metrics."""

    reason: str
    hold: HoldReason


class InvalidRecordError(errors.BrokerResponseError):  # type: ignore[misc] # aiokafka's classes have no usable types
    """A message breaks a rule of its topic, for example because it has no key and the topic is compacted."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker rejects a message of the batch."


class UnsupportedCompressionError(errors.BrokerResponseError):  # type: ignore[misc] # aiokafka's classes have no usable types
    """The broker cannot read the batch's compression."""

    errno = 76
    message = "UNSUPPORTED_COMPRESSION_TYPE"
    description = "The broker does not support the compression of the batch."


TOO_LARGE: Final = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)
"""Smaller batches may be accepted."""
_HOLDS: Final[Mapping[type[BaseException], HoldReason]] = {
    **dict.fromkeys(TOO_LARGE, HoldReason.MESSAGE_TOO_LARGE),
    errors.InvalidTimestampError: HoldReason.CLOCK,
}
"""All others are `KAFKA_REFUSES`."""
MAY_NOT_WRITE: Final = (
    "Kafka does not let this user write: allow the operation Write on the topics that it writes to, and where the "
    "brokers are older than 2.8 IdempotentWrite on the cluster"
)
"""The meaning of a broker's refusal to assign a producer id, which concerns every topic."""
_WORDS: Final[Mapping[type[BaseException], str]] = {
    errors.MessageSizeTooLargeError: (
        "refuses a message as too large for `{topic}`: raise max.message.bytes of that topic"
    ),
    errors.RecordListTooLargeError: (
        "refuses a message as larger than a log file of `{topic}`: raise segment.bytes of that topic"
    ),
    errors.InvalidTimestampError: (
        "refuses the time of messages for `{topic}`: correct this machine's clock, or let the brokers set the time: "
        "message.timestamp.type=LogAppendTime of that topic"
    ),
    InvalidRecordError: (
        "refuses a message for `{topic}` as invalid: if that topic is compacted, which requires keys, set its "
        "cleanup.policy to `delete`; else the cluster itself validates messages, for example their schema: ask its "
        "operators"
    ),
    errors.TopicAuthorizationFailedError: (
        "does not let this user write to `{topic}`: allow the operation Write on that topic"
    ),
    errors.ClusterAuthorizationFailedError: (
        "does not let this user write to `{topic}` as an idempotent producer: allow the operation IdempotentWrite on "
        "the cluster"
    ),
    errors.PolicyViolationError: "refuses messages for `{topic}` because of a policy of the cluster: ask its operators",
    errors.UnsupportedForMessageFormatError: (
        "stores `{topic}` in an old message format that does not support these messages: set message.format.version of "
        "that topic to 2.0 or later"
    ),
    UnsupportedCompressionError: (
        f"cannot read the compression of messages for `{{topic}}`: change {variable('records_compression')}"
    ),
    errors.InvalidTopicError: "accepts no messages for `{topic}`: it is an internal topic, or has an invalid name",
    errors.InvalidRequiredAcksError: ("does not support acks=all for `{topic}`: see the brokers' logs"),
    errors.InvalidRequestError: "rejects a write to `{topic}` as invalid: see the brokers' logs",
    errors.UnsupportedVersionError: (
        "does not support the kind of write that `{topic}` gets: use a newer version of Kafka"
    ),
    errors.SecurityDisabled: "has security disabled, but a write to `{topic}` needs it: see the brokers' logs",
}


def find_refusal(error: BaseException, topic: str) -> Refusal | None:
    """Return why a failed write to a topic must wait for an operator; None if the next attempt may succeed."""
    kind = type(error)
    words = _WORDS.get(kind)
    if words is None:
        return None
    return Refusal(f"Kafka {words.format(topic=topic)}", _HOLDS.get(kind, HoldReason.KAFKA_REFUSES))


def know_refusals() -> None:
    """Register the broker errors that aiokafka does not know, so that it raises them by type.

    Its table ends with number 79 (`aiokafka.errors.kafka_errors`), in 0.14 and in its newest version.
    """
    known: dict[int, Any] = errors.kafka_errors
    for kind in (InvalidRecordError, UnsupportedCompressionError):
        known.setdefault(kind.errno, kind)
