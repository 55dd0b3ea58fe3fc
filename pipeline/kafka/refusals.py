"""Writes that a broker refuses until somebody acts: what each refusal means, and what to do about it.

Whatever is not named here is repeated, for a later attempt may go through: brokers that are away or change, and what a
new producer mends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import errors

from pipeline.core.hold_reasons import HoldReason
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Mapping


class Refusal(NamedTuple):
    """Why a write waits for somebody: one sentence that says what to do, and the same for metrics."""

    reason: str
    hold: HoldReason


class InvalidRecordError(errors.BrokerResponseError):  # type: ignore[misc] # aiokafka's classes have no usable types
    """A message breaks a rule of its topic; one without a key, where the topic is compacted."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker does not take a message of the batch."


class UnsupportedCompressionError(errors.BrokerResponseError):  # type: ignore[misc] # aiokafka's classes have no usable types
    """The broker cannot read the batch's compression."""

    errno = 76
    message = "UNSUPPORTED_COMPRESSION_TYPE"
    description = "The broker does not know the compression of the batch."


TOO_LARGE: Final = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)
"""Smaller batches may go through."""
_HOLDS: Final[Mapping[type[BaseException], HoldReason]] = {
    **dict.fromkeys(TOO_LARGE, HoldReason.MESSAGE_TOO_LARGE),
    errors.InvalidTimestampError: HoldReason.CLOCK,
}
"""All others are `KAFKA_REFUSES`."""
MAY_NOT_WRITE: Final = (
    "Kafka does not let this user write: allow the operation Write on the topics that it writes to, and where the "
    "brokers are older than 2.8 IdempotentWrite on the cluster"
)
"""What a broker means that gives no producer a number, whatever the topic."""
_WORDS: Final[Mapping[type[BaseException], str]] = {
    errors.MessageSizeTooLargeError: (
        "refuses a message as too large for `{topic}`: raise max.message.bytes of that topic"
    ),
    errors.RecordListTooLargeError: (
        "refuses a message as larger than a log file of `{topic}`: raise segment.bytes of that topic"
    ),
    errors.InvalidTimestampError: (
        "refuses the time of messages for `{topic}`: set this machine's clock right, or let the brokers give the time: "
        "message.timestamp.type=LogAppendTime of that topic"
    ),
    InvalidRecordError: (
        "refuses a message for `{topic}` as invalid: if that topic is compacted, which takes none without a key, set "
        "its cleanup.policy to `delete`; else the cluster itself checks what is written, such as its schema: ask those "
        "who run it"
    ),
    errors.TopicAuthorizationFailedError: (
        "does not let this user write to `{topic}`: allow the operation Write on that topic"
    ),
    errors.ClusterAuthorizationFailedError: (
        "does not let this user write to `{topic}` as an idempotent producer: allow the operation IdempotentWrite on "
        "the cluster"
    ),
    errors.PolicyViolationError: "refuses messages for `{topic}` by a policy of the cluster: ask those who run it",
    errors.UnsupportedForMessageFormatError: (
        "stores `{topic}` in an old format that lacks what is written: set message.format.version of that topic to "
        "2.0 or later"
    ),
    UnsupportedCompressionError: (
        f"cannot read the compression of messages for `{{topic}}`: change {variable('records_compression')}"
    ),
    errors.InvalidTopicError: "takes no messages for `{topic}`: it is a topic of Kafka's own, or has an invalid name",
    errors.InvalidRequiredAcksError: (
        "takes no writes to `{topic}` that every replica confirms: look at the brokers' logs"
    ),
    errors.InvalidRequestError: "finds a write to `{topic}` invalid: look at the brokers' logs",
    errors.UnsupportedVersionError: (
        "does not know the kind of write that `{topic}` gets: use a newer version of Kafka"
    ),
    errors.SecurityDisabled: "has no security, which a write to `{topic}` asked for: look at the brokers' logs",
}


def find_refusal(error: BaseException, topic: str) -> Refusal | None:
    """Return what a failed write to a topic waits for; None where the next attempt may go through."""
    kind = type(error)
    words = _WORDS.get(kind)
    if words is None:
        return None
    return Refusal(f"Kafka {words.format(topic=topic)}", _HOLDS.get(kind, HoldReason.KAFKA_REFUSES))


def know_refusals() -> None:
    """Make aiokafka tell those refusals apart that it takes for unknown errors of a broker.

    Its table ends with number 79 (`aiokafka.errors.kafka_errors`), in 0.14 as in its newest version.
    """
    known: dict[int, Any] = errors.kafka_errors
    for kind in (InvalidRecordError, UnsupportedCompressionError):
        known.setdefault(kind.errno, kind)
