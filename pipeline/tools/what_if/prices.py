"""The cost of monthly tracked users or of events, by one price or by tiers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PRICE: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
_TIER: Final = re.compile(rf"([0-9]{{1,12}}):({_PRICE.pattern})", re.ASCII)
_EXAMPLES: Final = "such as `0.01`, or `0:0.012,25000:0.01` for tiers"


class Unit(StrEnum):
    """What has a price."""

    MTU = "MTU"
    EVENT = "event"


_PLURALS: Final[Mapping[Unit, str]] = {Unit.MTU: "users", Unit.EVENT: "events"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price per unit by tier: ``(25_000, 0.01)`` is the price of each user or event beyond the first 25,000.

    The first tier begins at 0. ``currency`` is any text.
    """

    tiers: tuple[tuple[int, Decimal], ...]
    currency: str = ""
    unit: Unit = Unit.MTU

    def cost(self, amount: float) -> Decimal:
        """Return the cost of a number of users or events in one month."""
        ends = [*(begin for begin, _ in self.tiers[1:]), None]
        total = Decimal(0)
        for (begin, price), end in zip(self.tiers, ends, strict=True):
            reached = amount if end is None else min(amount, end)
            total += price * Decimal(round(max(0, reached - begin)))
        return total

    def format(self, amount: Decimal) -> str:
        """Return an amount of money as text."""
        digits = 2 if abs(amount) < 100_000 else 0  # noqa: PLR2004 -- above this, cents do not matter
        return f"{amount:,.{digits}f} {self.currency}".rstrip()

    def __str__(self) -> str:
        """Return the prices as text."""
        unit = f" {self.currency}" if self.currency else ""
        if len(self.tiers) == 1:
            return f"{self.tiers[0][1]}{unit} per {self.unit}"
        first, *others = (f"{price}{unit}" for _, price in self.tiers)
        begins = (f"{begin:,}" for begin, _ in self.tiers[1:])
        further = ", ".join(f"{price} beyond {begin}" for price, begin in zip(others, begins, strict=True))
        return f"{first} per {self.unit}, {further}"


def parse_prices(text: str, currency: str = "", unit: Unit = Unit.MTU) -> Prices:
    """Return the prices in a text such as `0.01` (one price) or `0:0.012,25000:0.01` (tiers by number of units).

    Raises:
        ValueError: the text is neither; the error has the reason.
    """
    if _PRICE.fullmatch(text.strip()):
        return Prices(tiers=((0, Decimal(text.strip())),), currency=currency, unit=unit)
    found = [_TIER.fullmatch(part.strip()) for part in text.split(",")]
    tiers = tuple((int(tier[1]), Decimal(tier[2])) for tier in found if tier is not None)
    if len(tiers) < len(found):
        raise ValueError(f"`{text}` is not a price; write one {_EXAMPLES}")
    if tiers[0][0] != 0:
        raise ValueError(
            f"`{text}` has no price for the first {tiers[0][0]:,} {_PLURALS[unit]}; the first tier must begin at 0"
        )
    if any(later <= earlier for (earlier, _), (later, _) in pairwise(tiers)):
        raise ValueError(f"`{text}` has tiers that are not in ascending order")
    return Prices(tiers=tiers, currency=currency, unit=unit)
