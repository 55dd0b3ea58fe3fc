"""What a number of monthly tracked users costs: one price, or tiers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final

_PRICE: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
_TIER: Final = re.compile(rf"([0-9]{{1,12}}):({_PRICE.pattern})", re.ASCII)
_EXAMPLES: Final = "such as `0.01`, or `0:0.012,25000:0.01` for tiers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price of a user by tier: ``(25_000, 0.01)`` is what each user past the first 25,000 costs.

    The first tier begins at 0. ``currency`` is any text.
    """

    tiers: tuple[tuple[int, Decimal], ...]
    currency: str = ""

    def cost(self, users: float) -> Decimal:
        """Return what so many users cost in one month."""
        ends = [*(begin for begin, _ in self.tiers[1:]), None]
        total = Decimal(0)
        for (begin, price), end in zip(self.tiers, ends, strict=True):
            reached = users if end is None else min(users, end)
            total += price * Decimal(round(max(0, reached - begin)))
        return total

    def told(self, amount: Decimal) -> str:
        """Write an amount of money."""
        digits = 2 if abs(amount) < 100_000 else 0  # noqa: PLR2004 -- where cents no longer matter
        return f"{amount:,.{digits}f} {self.currency}".rstrip()

    def __str__(self) -> str:
        """Say in words what a user costs."""
        unit = f" {self.currency}" if self.currency else ""
        if len(self.tiers) == 1:
            return f"{self.tiers[0][1]}{unit} for each MTU"
        first, *others = (f"{price}{unit}" for _, price in self.tiers)
        begins = (f"{begin:,}" for begin, _ in self.tiers[1:])
        told = ", ".join(f"{price} past {begin}" for price, begin in zip(others, begins, strict=True))
        return f"{first} for each MTU, {told}"


def parse_prices(text: str, currency: str = "") -> Prices:
    """Read `0.01`, or `0:0.012,25000:0.01`: a price, or prices from a number of users on.

    Raises:
        ValueError: it is neither; the text says what is wrong.
    """
    if _PRICE.fullmatch(text.strip()):
        return Prices(tiers=((0, Decimal(text.strip())),), currency=currency)
    found = [_TIER.fullmatch(part.strip()) for part in text.split(",")]
    tiers = tuple((int(tier[1]), Decimal(tier[2])) for tier in found if tier is not None)
    if len(tiers) < len(found):
        raise ValueError(f"`{text}` is no price; give one {_EXAMPLES}")
    if tiers[0][0] != 0:
        raise ValueError(f"`{text}` says nothing of the first {tiers[0][0]:,} users; the first tier begins at 0")
    if any(later <= earlier for (earlier, _), (later, _) in pairwise(tiers)):
        raise ValueError(f"`{text}` has tiers that do not rise; give them in order")
    return Prices(tiers=tiers, currency=currency)
