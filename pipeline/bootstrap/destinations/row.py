"""What the composition root knows of a destination. Each destination is one value of this class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from pipeline.core.avro.contracts import Contract
    from pipeline.delivery.client import SegmentClient
    from pipeline.delivery.options import SegmentOptions
    from pipeline.delivery.secret_file import WriteKeyFile
    from pipeline.settings.sections import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFormat:
    """A destination's records as Avro. `encode` writes JSON as Avro; `compile_decoder` reads a writer's schema."""

    contract: Contract
    encode: Callable[[bytes], bytes]
    compile_decoder: Callable[[str], Callable[[bytes, int], bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRow:
    """One destination.

    Attributes:
        name: As in names of metrics, topics and commands.
        records: Its records as Avro.
        options: Returns the options of its sink.
        secret_file: Returns what reads its secret again; None where the secret is not in a file.
        connector: Returns what opens connections that share one secret.
    """

    name: str
    records: RecordFormat
    options: Callable[[Settings], SegmentOptions]
    secret_file: Callable[[Settings, CollectorRegistry], WriteKeyFile | None]
    connector: Callable[[WriteKeyFile | None], Callable[[SegmentOptions], SegmentClient]]
