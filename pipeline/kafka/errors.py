"""Errors of a cluster, with texts for an operator.

ClusterFaultError
├── GroupOffsetsLostError   a group has no committed offsets where it should have them
├── KafkaUnreachableError   no broker could be reached: the answer of each, and what to check
├── UnreadableTopicError    a batch of a topic cannot be read, or is larger than a setting allows
├── TopicLostError          a topic of a running worker was deleted, or deleted and recreated
└── TopicsError             topics cannot be used or created as they are: every fault at once
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.visible import visible
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.core.messages import Partition


class ClusterFaultError(Exception):
    """The cluster cannot be used as it is; the text contains the reason and the remedy."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The lines of the text. A text that a broker reported stays within one line."""
        return (str(self),)


WENT_AWAY = "Kafka has stopped answering: start again when it answers."


class KafkaUnreachableError(ClusterFaultError):
    """No broker could be reached."""

    def __init__(self, text: str, refusals: Sequence[str] = ()) -> None:
        self._sentences = (text, *refusals)
        super().__init__("\n".join(map(visible, self._sentences)))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is wrong, then each broker's refusal."""
        return self._sentences


class TopicsError(ClusterFaultError):
    """The topics cannot be used or created as they are; `faults` lists every reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(visible, faults)))

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every fault."""
        return self.faults


class UnreadableTopicError(ClusterFaultError):
    """A batch of a topic cannot be read, or is larger than a setting allows; `partition` is its topic and number."""

    def __init__(self, partition: Partition, text: str) -> None:
        self.partition = partition
        super().__init__(text)


class TopicLostError(ClusterFaultError):
    """A topic that a worker uses was deleted, or deleted and recreated; `lost` has what happened by name."""

    def __init__(self, lost: Mapping[str, str]) -> None:
        self.lost = dict(lost)
        changes = "; ".join(f"topic `{name}` {what}" for name, what in sorted(self.lost.items()))
        super().__init__(
            f"{changes}: its undelivered messages are lost, and its offsets are no longer valid, so nothing more is "
            "committed. Find out who deleted it; docs/operate/topics.md, Topics and groups that change, describes how "
            "to continue."
        )


class GroupOffsetsLostError(ClusterFaultError):
    """A group lacks committed offsets that it should have: it was deleted, or they expired.

    Offsets are never reset silently: an operator decides.
    """

    def __init__(self, group: str, objection: str) -> None:
        super().__init__(
            f"The committed offsets of group {group} cannot be relied on: {objection}. Was the group or the topic "
            "deleted, or had the group no members for longer than offsets.retention.minutes? Set its offsets with "
            f"`kafka-consumer-groups --reset-offsets --group {group} --topic … --execute`, or start once with "
            f"{variable('group_start')}=earliest: that reads the whole log again, and destinations recognize a "
            "repeated message for a limited time only (GUARANTEES, 2)."
        )
