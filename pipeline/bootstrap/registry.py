"""Open the schema registry that the settings name, and name its subjects."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.kafka.schema_registry import RegistryOptions, SchemaRegistry
from pipeline.settings.choices import SubjectNames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.core.avro.contracts import Contract
    from pipeline.settings.sections import Settings


@asynccontextmanager
async def open_registry(settings: Settings) -> AsyncIterator[SchemaRegistry | None]:
    """Open the registry that the settings name; None where they name none.

    Raises:
        SettingsError: the extra `registry` is not installed.
        RegistryFaultError: a certificate file cannot be used.
    """
    if settings.schema_registry_url is None:
        yield None
        return
    password = settings.schema_registry_password
    registry = SchemaRegistry(
        RegistryOptions(
            url=settings.schema_registry_url,
            username=settings.schema_registry_username,
            password=None if password is None else password.get_secret_value(),
            ca_file=settings.schema_registry_ca_file,
            raw_subject=subject(settings, settings.raw_topic, RAW_EVENT),
        )
    )
    try:
        yield registry
    finally:
        await registry.close()


def subject(settings: Settings, topic: str, contract: Contract) -> str:
    """Return the subject of a topic's values, by Confluent's strategies."""
    names = {
        SubjectNames.TOPIC: f"{topic}-value",
        SubjectNames.RECORD: contract.full_name,
        SubjectNames.TOPIC_RECORD: f"{topic}-{contract.full_name}",
    }
    return names[settings.schema_registry_subject_names]
