"""Settings: read from the environment once and frozen; all mistakes are reported at once.

Start at `pipeline.settings.sections`, which lists all settings.
"""

from __future__ import annotations

from pipeline.settings.choices import (
    LogFormat,
    LogLevel,
    MixpanelRegion,
    Partitioning,
    RecordsCompression,
    Requirement,
    Role,
    SaslMechanism,
    SecurityProtocol,
    SegmentRegion,
    TopicCompression,
)
from pipeline.settings.kafka_sections import KafkaSettings, TopicSettings
from pipeline.settings.loading import load_settings
from pipeline.settings.mistakes import Mistake, SettingsError
from pipeline.settings.mixpanel_section import MixpanelSettings
from pipeline.settings.processor_section import ProcessorSettings
from pipeline.settings.sections import Settings
from pipeline.settings.segment_section import SegmentSettings
from pipeline.settings.worker_section import WorkerSettings

__all__ = [
    "KafkaSettings",
    "LogFormat",
    "LogLevel",
    "Mistake",
    "MixpanelRegion",
    "MixpanelSettings",
    "Partitioning",
    "ProcessorSettings",
    "RecordsCompression",
    "Requirement",
    "Role",
    "SaslMechanism",
    "SecurityProtocol",
    "SegmentRegion",
    "SegmentSettings",
    "Settings",
    "SettingsError",
    "TopicCompression",
    "TopicSettings",
    "WorkerSettings",
    "load_settings",
]
