"""The settings of processors, whatever their destination."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.policy import UnknownKinds
from pipeline.settings.choices import Partitioning, RecordsCompression
from pipeline.settings.kafka_sections import Section
from pipeline.settings.values import Words


class ProcessorSettings(Section):
    """Processor."""

    rules_reload_seconds: float = Field(
        default=5,
        ge=0,
        le=3_600,
        description="How often the rules and names files are checked for changes, which take effect between two "
        "batches; `0` is never.",
    )
    unknown_kinds: UnknownKinds = Field(
        default=UnknownKinds.REJECT, description="What happens to events of an unknown kind."
    )
    nobody_ids: Words = Field(
        default="",
        description="External ids that stand for no user, separated by commas, such as `guest,1,email`. Ids such as "
        "`null` and `anonymous` always do.",
    )
    partitioning: Partitioning = Field(
        default=Partitioning.SAME,
        description="`same`: records keep the partition number of their event. `repartition`: by user key, for "
        "topics with different partition counts; it does not restore the order of a raw topic that is not keyed by "
        "user.",
    )
    records_compression: RecordsCompression = Field(
        default=RecordsCompression.NONE, description="Compression of the messages that the processor writes."
    )
