"""The options of delivery that all destinations share."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Final

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LANES: Final = 64
_HOST_LABEL: Final = re.compile(r"[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionMistake:
    """An invalid option. ``option`` is its name in the options; ``problem`` is a sentence."""

    option: str
    problem: str


class OptionsError(ValueError):
    """Invalid options, with every mistake at once. Never shows a secret."""

    def __init__(self, mistakes: tuple[OptionMistake, ...]) -> None:
        super().__init__("; ".join(f"{mistake.option}: {mistake.problem}" for mistake in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, kw_only=True)
class DeliveryOptions:
    """How to fill requests, how many are in flight, and how to retry. A destination subclasses it with its own options.

    ``endpoint`` is the whole address of the batch call. ``max_batch_bytes`` counts a whole body before compression. A
    rate of 0 means no limit.

    Raises:
        OptionsError: an option is invalid.
    """

    byte_range: ClassVar[tuple[int, int]]
    """The minimum and maximum of `max_batch_bytes`."""
    most_records: ClassVar[int]
    endpoint_example: ClassVar[str]
    added_jitter_seconds: ClassVar[tuple[float, float] | None] = None
    """See `pipeline.delivery.decisions.RetryPolicy`."""

    endpoint: str
    max_batch_bytes: int
    max_batch_records: int
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
        if mistakes := tuple(self.mistakes()):
            order = {field.name: number for number, field in enumerate(fields(self))}
            raise OptionsError(tuple(sorted(mistakes, key=lambda mistake: order[mistake.option])))

    def mistakes(self) -> Iterator[OptionMistake]:
        """Yield the mistakes. A subclass adds its own."""
        for option, problem in (
            ("endpoint", endpoint_problem(self.endpoint, example=self.endpoint_example)),
            ("max_batch_bytes", _outside(self.max_batch_bytes, *self.byte_range)),
            ("max_batch_records", _outside(self.max_batch_records, 1, self.most_records)),
            ("lanes", _outside(self.lanes, 1, MAX_LANES)),
            ("flush_interval_seconds", _not_positive(self.flush_interval_seconds)),
            ("request_timeout_seconds", _not_positive(self.request_timeout_seconds)),
            ("retry_base_seconds", _not_positive(self.retry_base_seconds)),
            ("retry_max_seconds", _not_positive(self.retry_max_seconds)),
            ("retry_after_cap_seconds", _not_positive(self.retry_after_cap_seconds)),
            ("max_requests_per_second", _negative(self.max_requests_per_second)),
            ("max_records_per_second", _negative(self.max_records_per_second)),
            ("dead_letter_max_share", _no_share(self.dead_letter_max_share)),
            ("dead_letter_window", _not_positive(self.dead_letter_window)),
        ):
            if problem is not None:
                yield OptionMistake(option=option, problem=problem)


def endpoint_problem(endpoint: str, *, example: str) -> str | None:
    """Return what is wrong with the address of a batch call, without showing it; None if nothing is."""
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
        return "must not contain a user name or a password: credentials have their own settings"
    if url.path in {"", "/"}:
        return f"must be the whole address of the batch call, for example {example}"
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
