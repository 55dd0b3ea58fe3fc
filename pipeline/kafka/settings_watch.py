"""Detect while a worker runs that a topic's settings were changed so that messages would be lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pipeline.kafka.topic_settings import TopicFault
    from pipeline.kafka.topics import FoundTopic

logger = structlog.get_logger(__name__)


class SettingsWatch:
    """Knows what is wrong with the settings of a worker's topics.

    A worker continues to read such a topic: messages must be read before they are deleted. It holds before it writes to
    one: until then, messages are safe in the topic that they come from.
    """

    def __init__(self) -> None:
        self._found: Mapping[str, FoundTopic] = {}
        self._written: frozenset[str] = frozenset()
        self._judge: Callable[[Mapping[str, FoundTopic]], Sequence[TopicFault]] = lambda _found: ()
        self._faults: tuple[TopicFault, ...] = ()

    def expect(
        self,
        found: Mapping[str, FoundTopic],
        judge: Callable[[Mapping[str, FoundTopic]], Sequence[TopicFault]],
        *,
        written: Collection[str],
    ) -> None:
        """Start with the topics as they were found, the function that finds faults, and the topics that are written."""
        self._found, self._judge, self._written = found, judge, frozenset(written)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics whose settings are checked."""
        return tuple(self._found)

    @property
    def complaint(self) -> str | None:
        """What is wrong with any topic, and what to do; None if nothing is."""
        return self._texts(self._faults)

    @property
    def hold_reason(self) -> str | None:
        """The complaint, if it concerns a topic that is written to; else None."""
        return self.complaint if any(fault.topic in self._written for fault in self._faults) else None

    def take(self, configurations: Mapping[str, Mapping[str, str]]) -> None:
        """Check the present settings. Topics that the cluster does not report stay unchanged. Log each change once."""
        self._found = {
            name: replace(topic, configuration=configurations.get(name, topic.configuration))
            for name, topic in self._found.items()
        }
        faults = tuple(self._judge(self._found))
        if faults and faults != self._faults:
            logger.error("topic settings would lose messages", reason=self._texts(faults))
        elif self._faults and not faults:
            logger.info("topic settings corrected")
        self._faults = faults

    @staticmethod
    def _texts(faults: Sequence[TopicFault]) -> str | None:
        return "; ".join(fault.text.removesuffix(".") for fault in faults) or None
