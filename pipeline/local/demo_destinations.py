"""The destinations of a demo: the stand-in, the workers, the topics and groups, and the settings of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pipeline.core.classification import Destination
from pipeline.local.mixpanel.stand_in import PROJECT_TOKEN
from pipeline.local.segment.stand_in import WRITE_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.core.presets import Preset


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDestination:
    """One destination. ``settings`` are its workers', without the prefix ``PIPELINE_``.

    Attributes:
        destination: Which one.
        title: Its name in texts for people.
        names: Its topics and groups.
        stand_in: The module of its stand-in.
        path: The path of its call.
        secret: What the stand-in accepts.
        processor: The arguments of its processor.
        sink: The arguments of its sink.
        preset_setting: The setting with the rules.
        endpoint_setting: The setting with the address.
        user_prefix: What its ledger puts before an anonymous user's id.
        settings: Further settings.
    """

    destination: Destination
    title: str
    names: Names
    stand_in: str
    path: str
    secret: tuple[str, str]
    processor: Sequence[str]
    sink: Sequence[str]
    preset_setting: str
    endpoint_setting: str
    user_prefix: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def stand_in_name(self) -> str:
        """The name of the stand-in's process and log."""
        return f"{self.destination}-stand-in"

    @property
    def processor_name(self) -> str:
        """The name of the processor's process and log."""
        return f"{self.destination}-processor"

    @property
    def sink_name(self) -> str:
        """The name of the sink's process and log."""
        return f"{self.destination}-sink"

    def environment(self, preset: Preset) -> dict[str, str]:
        """Return the settings of its workers."""
        return {**self.settings, self.secret[0]: self.secret[1], self.preset_setting: preset.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The topics and groups of one destination's part of a run. Raw events and dead letters are common."""

    raw_topic: str = "onesignal.events"
    dead_letter_topic: str = "onesignal.dead-letters"
    records_topic: str
    tracked_users_topic: str
    processor_group: str
    sink_group: str

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics. All have the same number of partitions."""
        return self.raw_topic, self.records_topic, self.dead_letter_topic, self.tracked_users_topic


SEGMENT: Final = DemoDestination(
    destination=Destination.SEGMENT,
    title="Segment",
    names=Names(
        records_topic="segment.records",
        tracked_users_topic="onesignal.tracked-users",
        processor_group="onesignal-pipeline-processor",
        sink_group="onesignal-pipeline-segment-sink",
    ),
    stand_in="pipeline.local.segment.stand_in",
    path="/v1/batch",
    secret=("SEGMENT_WRITE_KEY", WRITE_KEY),
    processor=("processor",),
    sink=("segment-sink",),
    preset_setting="RULES_PRESET",
    endpoint_setting="SEGMENT_ENDPOINT",
    settings={"SEGMENT_FLUSH_INTERVAL_SECONDS": "0.2", "SEGMENT_RETRY_MAX_SECONDS": "2"},
)
MIXPANEL: Final = DemoDestination(
    destination=Destination.MIXPANEL,
    title="Mixpanel",
    names=Names(
        records_topic="mixpanel.records",
        tracked_users_topic="mixpanel.tracked-users",
        processor_group="onesignal-pipeline-mixpanel-processor",
        sink_group="onesignal-pipeline-mixpanel-sink",
    ),
    stand_in="pipeline.local.mixpanel.stand_in",
    path="/import",
    secret=("MIXPANEL_PROJECT_TOKEN", PROJECT_TOKEN),
    processor=("processor", "--destination", "mixpanel"),
    sink=("mixpanel-sink",),
    preset_setting="MIXPANEL_RULES_PRESET",
    endpoint_setting="MIXPANEL_ENDPOINT",
    user_prefix="$device:",
    settings={
        "MIXPANEL_FLUSH_INTERVAL_SECONDS": "0.2",
        "MIXPANEL_RETRY_BASE_SECONDS": "0.1",
        "MIXPANEL_RETRY_MAX_SECONDS": "1",
        "MIXPANEL_MAX_RECORDS_PER_SECOND": "0",
    },
)
DESTINATIONS: Final = (SEGMENT, MIXPANEL)
