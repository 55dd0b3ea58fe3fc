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
        description="How often the files of rules and names are looked at for changes, which take effect between two "
        "batches; `0` is never.",
    )
    unknown_kinds: UnknownKinds = Field(
        default=UnknownKinds.REJECT, description="What happens to events of a kind that is not known."
    )
    nobody_ids: Words = Field(
        default="",
        description="Words that stand for no user where events have them as external id, separated by commas, such as "
        "`guest,1,email`; beside `null`, `anonymous` and the like, which always do.",
    )
    partitioning: Partitioning = Field(
        default=Partitioning.SAME,
        description="`same`: records keep their event's partition number. `repartition`: by user key, where the "
        "partition counts differ; it does not bring back the order that a raw topic not keyed by user has lost.",
    )
    records_compression: RecordsCompression = Field(
        default=RecordsCompression.NONE, description="Compression of what the processor writes."
    )
