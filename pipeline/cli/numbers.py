"""The ranges of numbers that options accept."""

from __future__ import annotations

import click

MOST: int = 1_000_000_000
_SEED_BITS = 63


class EventCount(click.IntRange):
    """A number of events; at least one."""

    def __init__(self) -> None:
        super().__init__(min=1, max=MOST)


class Seed(click.IntRange):
    """The seed of generated events."""

    def __init__(self) -> None:
        super().__init__(min=-(2**_SEED_BITS), max=2**_SEED_BITS - 1)
