"""What an operator may choose about Segment, and the limits that Segment sets."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from yarl import URL

from pipeline.settings.choices import SegmentRegion

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
MAX_LANES: Final = 64

ENDPOINTS: Final[Mapping[SegmentRegion, str]] = {
    SegmentRegion.US: "https://api.segment.io/v1/batch",
    SegmentRegion.EU: "https://events.eu1.segmentapis.com/v1/batch",
}

_WRITE_KEY: Final = re.compile(r"[0-9A-Za-z]{32}")
_HOST_LABEL: Final = re.compile(r"[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionMistake:
    """One option that cannot be used. ``option`` is its name in `SegmentOptions`; ``problem`` is a sentence."""

    option: str
    problem: str


class SegmentOptionsError(ValueError):
    """Options that cannot be used, every mistake at once; never shows the write key."""

    def __init__(self, mistakes: tuple[OptionMistake, ...]) -> None:
        super().__init__("; ".join(f"{mistake.option}: {mistake.problem}" for mistake in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOptions:
    """How to reach Segment and how to fill requests.

    ``endpoint`` is the whole address of the batch call. ``max_batch_bytes`` counts the whole body before compression.
    A rate of 0 is no limit.

    Raises:
        SegmentOptionsError: an option cannot be used.
    """

    endpoint: str
    write_key: SecretStr
    max_batch_bytes: int = 475_000
    max_batch_records: int = MAX_REQUEST_RECORDS
    flush_interval_seconds: float = 1.0
    lanes: int = 4
    request_timeout_seconds: float = 15.0
    gzip: bool = False
    retry_base_seconds: float = 0.5
    retry_max_seconds: float = 60.0
    retry_after_cap_seconds: float = 300.0
    max_requests_per_second: float = 1_000.0
    max_records_per_second: float = 0.0
    dead_letter_max_share: float = 0.05
    dead_letter_window: int = 2_000

    def __post_init__(self) -> None:
        mistakes = tuple(_mistakes(self))
        if mistakes:
            raise SegmentOptionsError(mistakes)


def _mistakes(options: SegmentOptions) -> Iterator[OptionMistake]:
    for option, problem in (
        ("endpoint", endpoint_problem(options.endpoint)),
        ("write_key", write_key_problem(options.write_key.get_secret_value())),
        ("max_batch_bytes", _outside(options.max_batch_bytes, MIN_REQUEST_BYTES, MAX_REQUEST_BYTES)),
        ("max_batch_records", _outside(options.max_batch_records, 1, MAX_REQUEST_RECORDS)),
        ("lanes", _outside(options.lanes, 1, MAX_LANES)),
        ("flush_interval_seconds", _not_positive(options.flush_interval_seconds)),
        ("request_timeout_seconds", _not_positive(options.request_timeout_seconds)),
        ("retry_base_seconds", _not_positive(options.retry_base_seconds)),
        ("retry_max_seconds", _not_positive(options.retry_max_seconds)),
        ("retry_after_cap_seconds", _not_positive(options.retry_after_cap_seconds)),
        ("max_requests_per_second", _negative(options.max_requests_per_second)),
        ("max_records_per_second", _negative(options.max_records_per_second)),
        ("dead_letter_max_share", _no_share(options.dead_letter_max_share)),
        ("dead_letter_window", _not_positive(options.dead_letter_window)),
    ):
        if problem is not None:
            yield OptionMistake(option=option, problem=problem)


def write_key_problem(write_key: str) -> str | None:
    """Say what is wrong with the shape of a write key, without showing it; None if nothing is.

    Segment answers 200 to a key that it does not know and throws the data away, so a wrong key is caught here or never.
    """
    if _WRITE_KEY.fullmatch(write_key):
        return None
    if _WRITE_KEY.fullmatch(write_key.strip()):
        return "has white space around it"
    if len(write_key) != 32:  # noqa: PLR2004 -- the length that the message names
        return f"has {len(write_key)} characters; a Segment write key has 32 letters and digits"
    return "has characters other than letters and digits; a Segment write key has 32 letters and digits"


def endpoint_problem(endpoint: str) -> str | None:
    """Say what is wrong with the address of a batch call, without showing it; None if nothing is."""
    try:
        url = URL(endpoint)
        host = url.raw_host
    except (ValueError, IndexError):  # yarl has the second for `http://[]@`
        return "is not an address"
    if url.scheme not in {"http", "https"} or not host:
        return "must begin with https:// and name a host"
    if not _is_host(host):
        return "does not name a host that can exist"
    if url.user is not None or url.password is not None:
        return "must not hold a user name or a password: the write key is sent as Basic auth"
    if url.path in {"", "/"}:
        return "must be the whole address of the batch call, for example https://api.segment.io/v1/batch"
    return None


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return all(_HOST_LABEL.fullmatch(label) for label in host.removesuffix(".").split("."))
    return True


def _outside(value: int, least: int, most: int) -> str | None:
    return None if least <= value <= most else f"is {value}; it must be from {least} to {most}"


def _not_positive(value: float) -> str | None:
    return None if 0 < value < float("inf") else f"is {value}; it must be above 0"


def _negative(value: float) -> str | None:
    return None if 0 <= value < float("inf") else f"is {value}; it must be 0, for no limit, or above"


def _no_share(value: float) -> str | None:
    return None if 0 <= value <= 1 else f"is {value}; it must be from 0 to 1"
