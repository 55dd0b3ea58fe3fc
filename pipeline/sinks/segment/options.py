"""What an operator may choose about Segment, and the limits that Segment sets."""

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
"""500 KB a request (schemas/SOURCES.md, "Segment batch requests"); whether that is 500,000 or 512,000 is not
documented, so the smaller counts."""
MAX_REQUEST_RECORDS: Final = 2_500
"""2,500 events a request: Segment answers 200 to more, and throws the batch away."""
MIN_REQUEST_BYTES: Final = 40_000
"""A request must have room for the largest record and the envelope, with some margin."""

ENDPOINTS: Final[Mapping[SegmentRegion, str]] = {
    SegmentRegion.US: "https://api.segment.io/v1/batch",
    SegmentRegion.EU: "https://events.eu1.segmentapis.com/v1/batch",
}


@dataclass(frozen=True, kw_only=True)
class SegmentOptions(DeliveryOptions):
    """How to reach Segment and how to fill requests.

    Raises:
        OptionsError: an option cannot be used.
    """

    byte_range: ClassVar = (MIN_REQUEST_BYTES, MAX_REQUEST_BYTES)
    most_records: ClassVar = MAX_REQUEST_RECORDS
    endpoint_example: ClassVar = ENDPOINTS[SegmentRegion.US]

    write_key: SecretStr
    max_batch_bytes: int = 475_000
    max_batch_records: int = MAX_REQUEST_RECORDS

    def mistakes(self) -> Iterator[OptionMistake]:
        """Yield what cannot be used, the shape of the write key included."""
        yield from super().mistakes()
        if (problem := write_key_problem(self.write_key.get_secret_value())) is not None:
            yield OptionMistake(option="write_key", problem=problem)
