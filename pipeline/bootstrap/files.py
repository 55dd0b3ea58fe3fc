"""The files and folders that settings name; their mistakes are listed with those of the settings."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.bootstrap.destinations.table import in_use
from pipeline.bootstrap.policy import build_policy
from pipeline.bootstrap.processor_formats import raw_schema
from pipeline.kafka.connection import tls_context, trusting
from pipeline.settings.extras import Extra, require_extra
from pipeline.settings.files import FileError, promptly
from pipeline.settings.mistakes import Mistake, SettingsError, setting_error, variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.settings.loading import Check
    from pipeline.settings.sections import Settings


def policy_mistakes(settings: Settings) -> tuple[Mistake, ...]:
    """List what is wrong with the rules and names files of the destinations in use."""
    return tuple(mistake for row in in_use(settings) for mistake in policy_mistakes_of(row)(settings))


@cache
def policy_mistakes_of(destination: DestinationRow) -> Check:
    """Return what lists the mistakes in the rules and names files of one destination."""
    return lambda settings: _mistakes(partial(build_policy, destination=destination), settings)


def schema_mistakes(settings: Settings) -> tuple[Mistake, ...]:
    """List what is wrong with the schema of raw events."""
    return _mistakes(raw_schema, settings)


def registry_mistakes(settings: Settings) -> tuple[Mistake, ...]:
    """List the extra `registry` where the settings name a schema registry and the extra is not installed."""
    return _mistakes(_registry_extra, settings)


def tls_mistakes(settings: Settings) -> tuple[Mistake, ...]:
    """List what is wrong with the certificates for Kafka, where connections are encrypted, and for the registry."""
    kafka = _mistakes(tls_context, settings) if settings.kafka_security_protocol.encrypts else ()
    return (*kafka, *_mistakes(_registry_context, settings))


def _registry_context(settings: Settings) -> None:
    if settings.schema_registry_ca_file is not None:
        trusting("schema_registry_ca_file", settings.schema_registry_ca_file)


def _registry_extra(settings: Settings) -> None:
    field = "schema_registry_url"
    if settings.schema_registry_url is not None:
        require_extra(Extra.REGISTRY, needed_by=variable(field), fields=(field,))


@contextmanager
def working_folder(settings: Settings) -> Iterator[Path]:
    """Yield a folder that a worker may write to: the one in the settings, or a temporary one, deleted at the end.

    Raises:
        SettingsError: no folder can be created.
    """
    if settings.data_directory is not None:
        yield _created(settings.data_directory)
        return
    try:
        scratch = TemporaryDirectory(prefix="onesignal-pipeline-", ignore_cleanup_errors=True)
    except OSError as error:
        reason = f"no temporary folder can be made: {error.strerror}: name a folder that can be written."
        raise setting_error("data_directory", f"is not set, and {reason}") from None
    with scratch as name:
        yield Path(name)


def _created(folder: Path) -> Path:
    """Create the folder that the settings name, with its parents."""
    try:
        promptly(folder, partial(folder.mkdir, parents=True, exist_ok=True))
    except (OSError, FileError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise setting_error("data_directory", f"is `{folder}`, which cannot be made: {reason}.") from None
    return folder


def _mistakes(use: Callable[[Settings], object], settings: Settings) -> tuple[Mistake, ...]:
    try:
        use(settings)
    except SettingsError as error:
        return error.mistakes
    return ()
