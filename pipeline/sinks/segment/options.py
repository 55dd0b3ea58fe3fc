"""The options of the Segment sink, and the limits that Segment sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from pipeline.delivery.options import DeliveryOptions, OptionMistake
from pipeline.settings.choices import SegmentRegion
from pipeline.sinks.segment.credentials import write_key_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import SecretStr

MAX_REQUEST_BYTES: Final = 500_000
"""500 KB per request (schemas/SOURCES.md, "Segment batch requests"). It is not documented whether that is 500,000 or
512,000, so this is the smaller one."""
MAX_REQUEST_RECORDS: Final = 2_500
"""2,500 events per request. Segment answers 200 to more, and discards the batch."""
MIN_REQUEST_BYTES: Final = 40_000
"""Enough for the largest record and the envelope, with some margin."""

ENDPOINTS: Final[Mapping[SegmentRegion, str]] = {
    SegmentRegion.US: "https://api.segment.io/v1/batch",
    SegmentRegion.EU: "https://events.eu1.segmentapis.com/v1/batch",
}


@dataclass(frozen=True, kw_only=True)
class SegmentOptions(DeliveryOptions):
    """How to reach Segment and how to fill requests.

    Raises:
        OptionsError: an option is invalid.
    """

    byte_range: ClassVar = (MIN_REQUEST_BYTES, MAX_REQUEST_BYTES)
    most_records: ClassVar = MAX_REQUEST_RECORDS
    endpoint_example: ClassVar = ENDPOINTS[SegmentRegion.US]

    write_key: SecretStr
    max_batch_bytes: int = 475_000
    max_batch_records: int = MAX_REQUEST_RECORDS

    def mistakes(self) -> Iterator[OptionMistake]:
        """Yield the mistakes, including those in the format of the write key."""
        yield from super().mistakes()
        if (problem := write_key_problem(self.write_key.get_secret_value())) is not None:
            yield OptionMistake(option="write_key", problem=problem)
