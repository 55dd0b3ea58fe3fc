"""Notice while a worker runs that a topic got settings with which messages are lost."""

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

    What is read goes on, all the faster the better. What would be written to such a topic is a hold: before that,
    messages are safe in the topic that they come from.
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
        """Begin with the topics as they were found at the start, what judges them, and those that are written to."""
        self._found, self._judge, self._written = found, judge, frozenset(written)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics whose settings matter."""
        return tuple(self._found)

    @property
    def complaint(self) -> str | None:
        """What is wrong with any topic, and what to do; None where nothing is."""
        return self._told(self._faults)

    @property
    def hold_reason(self) -> str | None:
        """The same where a topic is among them that is written to."""
        return self.complaint if any(fault.topic in self._written for fault in self._faults) else None

    def take(self, configurations: Mapping[str, Mapping[str, str]]) -> None:
        """Judge what is configured now. What the cluster did not tell of stays as it was. Changes are logged once."""
        self._found = {
            name: replace(topic, configuration=configurations.get(name, topic.configuration))
            for name, topic in self._found.items()
        }
        faults = tuple(self._judge(self._found))
        if faults and faults != self._faults:
            logger.error("settings of topics lose messages", reason=self._told(faults))
        elif self._faults and not faults:
            logger.info("settings of topics lose no messages any more")
        self._faults = faults

    @staticmethod
    def _told(faults: Sequence[TopicFault]) -> str | None:
        return "; ".join(fault.text.removesuffix(".") for fault in faults) or None
