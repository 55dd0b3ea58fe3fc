"""Segment: its sink's options and connections, and its records as Avro."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.bootstrap.destinations.options import delivery_options
from pipeline.bootstrap.destinations.row import DestinationRow, RecordFormat
from pipeline.core.classification import Destination
from pipeline.core.destinations.segment.avro import encode_record, record_decoder
from pipeline.core.destinations.segment.avro_contract import SEGMENT_RECORD
from pipeline.core.destinations.segment.builders import SegmentRecords
from pipeline.core.destinations.segment.limits import MAX_RECORD_BYTES
from pipeline.delivery.secret_file import SecretFile
from pipeline.metrics.credentials import CredentialsMetrics
from pipeline.settings.choices import Requirement
from pipeline.settings.segment_section import SegmentSettings
from pipeline.sinks.segment.api import SegmentApi
from pipeline.sinks.segment.credentials import write_key_problem
from pipeline.sinks.segment.options import ENDPOINTS, SegmentOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from pipeline.settings.sections import Settings


def segment_options(settings: Settings) -> SegmentOptions:
    """Return the options of the sink.

    Raises:
        OptionsError: an option cannot be used.
    """
    own = settings.segment
    if own.write_key is None:
        raise ValueError("a write key is required; loading the settings checks that")
    return SegmentOptions(
        endpoint=own.endpoint or ENDPOINTS[own.region],
        write_key=own.write_key,
        **delivery_options(settings, own),
    )


def write_key_file(settings: Settings, registry: CollectorRegistry) -> SecretFile | None:
    """Return what reads the write key again when its file changes; None if it was given as a variable."""
    metrics = CredentialsMetrics(registry, destination=Destination.SEGMENT.value)
    path = settings.secret_file("segment_write_key")
    if path is None or settings.segment.write_key is None:
        return None
    return SecretFile(
        path, settings.segment.write_key, words="write key", problem_of=write_key_problem, metrics=metrics
    )


def segment_api(settings: Settings, key: SecretFile | None = None) -> SegmentApi:
    """Return Segment as its sink sees it. All connections share one write key, which may change while they are open."""
    return SegmentApi(segment_options(settings), write_key=None if key is None else key.current)


def segment_records(settings: Settings, names: Mapping[str, str]) -> SegmentRecords:
    """Return the record builders, with the names of the names file."""
    own = settings.segment
    return SegmentRecords(
        name_profile=own.name_profile,
        custom_names=names,
        integrations_off=tuple(filter(None, own.integrations_off.split(","))),
    )


SEGMENT: Final = DestinationRow(
    name=Destination.SEGMENT.value,
    settings=SegmentSettings,
    section=lambda settings: settings.segment,
    reserved_names=None,
    billing_month_start_day=lambda settings: settings.billing_month_start_day,
    build_records=segment_records,
    requirement=Requirement.SEGMENT,
    fills_by_count=False,
    max_record_bytes=MAX_RECORD_BYTES,
    records=RecordFormat(contract=SEGMENT_RECORD, encode=encode_record, compile_decoder=record_decoder),
    options=segment_options,
    secret_file=write_key_file,
    api=segment_api,
)
