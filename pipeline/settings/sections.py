"""Every setting: its name, its default, what it accepts and what it means. The reference is generated from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import Field, PrivateAttr

from pipeline.settings.destination_section import DestinationSettings
from pipeline.settings.kafka_sections import FormatSettings, KafkaSettings, Section, TopicSettings
from pipeline.settings.mixpanel_section import MixpanelSettings
from pipeline.settings.processor_section import ProcessorSettings
from pipeline.settings.segment_section import SegmentSettings
from pipeline.settings.state_section import StateSettings
from pipeline.settings.worker_section import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic.fields import FieldInfo


class Settings(
    KafkaSettings,
    TopicSettings,
    FormatSettings,
    ProcessorSettings,
    StateSettings,
    WorkerSettings,
):
    """Everything that the environment decides, read once. The validation's context is the secrets' files, by setting.

    Each destination is its own field.
    """

    segment: SegmentSettings = Field(default_factory=SegmentSettings)
    mixpanel: MixpanelSettings = Field(default_factory=MixpanelSettings)
    _files: dict[str, Path] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        """Remember which secrets came from files."""
        files: Mapping[str, Path] = context or {}
        self._files.update(files)

    @property
    def destinations(self) -> tuple[DestinationSettings, ...]:
        """The sections of all destinations."""
        return (self.segment, self.mixpanel)

    @property
    def destinations_in_use(self) -> tuple[DestinationSettings, ...]:
        """The sections in which anything is set; the first destination where nothing is."""
        return tuple(own for own in self.destinations if own.is_in_use) or self.destinations[:1]

    def secret_file(self, setting: str) -> Path | None:
        """Return the file that a secret was read from; None if it was given as a variable."""
        return self._files.get(setting)

    def value(self, setting: str) -> Any:
        """Return the value of a setting by its name."""
        found = SETTINGS[setting]
        return getattr(found.of(self), found.field)

    def is_set(self, setting: str) -> bool:
        """Return whether a setting was given, whatever its value."""
        found = SETTINGS[setting]
        return found.field in found.of(self).model_fields_set


class Setting(NamedTuple):
    """Where a setting is found: in `Settings` itself, or in one of its fields, which is a destination's section."""

    section: type[Section]
    destination: str | None
    field: str

    @property
    def described(self) -> FieldInfo:
        return self.section.model_fields[self.field]

    @property
    def path(self) -> tuple[str, ...]:
        """Where the field is, as pydantic's errors give it."""
        return (self.field,) if self.destination is None else (self.destination, self.field)

    def of(self, settings: Settings) -> Section:
        """Return the section that has the value."""
        section: Section = settings if self.destination is None else getattr(settings, self.destination)
        return section


SECTIONS: Final[tuple[type[Section], ...]] = (
    KafkaSettings,
    TopicSettings,
    FormatSettings,
    ProcessorSettings,
    StateSettings,
    SegmentSettings,
    MixpanelSettings,
    WorkerSettings,
)


def _settings_of(section: type[Section]) -> Iterator[tuple[str, Setting]]:
    for field in section.model_fields:
        if issubclass(section, DestinationSettings):
            yield section.setting(field), Setting(section, section.prefix, field)
        else:
            yield field, Setting(section, None, field)


SETTINGS: Final[Mapping[str, Setting]] = {
    name: setting for section in SECTIONS for name, setting in _settings_of(section)
}


def _listed() -> Iterator[tuple[type[Section], tuple[str, ...]]]:
    destinations = [section for section in SECTIONS if issubclass(section, DestinationSettings)]
    before = {follower: names for section in destinations for follower, names in section.listed_before.items()}
    moved = {name for names in before.values() for name in names}
    for section in SECTIONS:
        own = [name for name, _ in _settings_of(section) if name not in moved]
        yield section, tuple(each for name in own for each in (*before.get(name, ()), name))


REFERENCE: Final[tuple[tuple[type[Section], tuple[str, ...]], ...]] = tuple(_listed())
"""The names of all settings, section by section, as the reference lists them."""
FIELDS: Final = tuple(name for _, names in REFERENCE for name in names)


def nested(values: Mapping[str, str]) -> dict[str, Any]:
    """Return values by the names of their settings as `Settings` takes them."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        setting = SETTINGS[name]
        within = made if setting.destination is None else made.setdefault(setting.destination, {})
        within[setting.field] = value
    return made
