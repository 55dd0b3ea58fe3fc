"""What the composition root knows of a destination. Each destination is one value of this class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

    from pipeline.core.avro.contracts import Contract
    from pipeline.core.record_builders import RecordBuilders
    from pipeline.delivery.api import Api
    from pipeline.delivery.options import DeliveryOptions
    from pipeline.delivery.secret_file import SecretFile
    from pipeline.settings.choices import Requirement
    from pipeline.settings.destination_section import DestinationSettings
    from pipeline.settings.sections import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFormat:
    """A destination's records as Avro. `encode` writes JSON as Avro; `compile_decoder` reads a writer's schema."""

    contract: Contract
    encode: Callable[[bytes], bytes]
    compile_decoder: Callable[[str], Callable[[bytes, int], bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DestinationRow:
    """One destination.

    Attributes:
        name: Its name in metrics, topics and commands.
        settings: The class of its section of the settings.
        section: Returns that section.
        reserved_names: The event names beginning with `$` that a names file may use.
        billing_month_start_day: Returns the day on which its billing month begins.
        build_records: Returns its record builders, with the names of a names file.
        requirement: What must be set for its sink.
        fills_by_count: Whether the number of records, rather than their bytes, fills a request in a backlog.
        max_record_bytes: The largest record that the processor builds for it.
        records: Its records as Avro.
        options: Returns the options of its sink.
        secret_file: Returns what reads its secret again; None where the secret is not in a file.
        api: Returns the destination as its sink sees it. Its connections share one secret, which may change.
    """

    name: str
    settings: type[DestinationSettings]
    section: Callable[[Settings], DestinationSettings]
    reserved_names: frozenset[str] | None
    billing_month_start_day: Callable[[Settings], int]
    build_records: Callable[[Settings, Mapping[str, str]], RecordBuilders]
    requirement: Requirement
    fills_by_count: bool
    max_record_bytes: int
    records: RecordFormat
    options: Callable[[Settings], DeliveryOptions]
    secret_file: Callable[[Settings, CollectorRegistry], SecretFile | None]
    api: Callable[[Settings, SecretFile | None], Api]
