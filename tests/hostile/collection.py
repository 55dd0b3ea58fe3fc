"""The whole collection of hostile messages, in an order that never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.messages import Topic, of_values
from tests.hostile.odd_batches import odd_batches
from tests.hostile.odd_headers import KEY, odd_headers
from tests.hostile.raw_bodies import RAW_BODIES
from tests.hostile.record_bodies import RECORD_BODIES

if TYPE_CHECKING:
    from tests.hostile.messages import HostileMessage


def hostile_messages(*, short: bool = False) -> list[HostileMessage]:
    """Return every hostile message; the short form leaves out those that take seconds each."""
    found: list[HostileMessage] = []
    for sort, bodies in RAW_BODIES.items():
        found += of_values(sort, Topic.RAW, bodies, KEY)
    for sort, bodies in RECORD_BODIES.items():
        found += of_values(sort, Topic.RECORDS, bodies, KEY)
    found += odd_headers()
    found += odd_batches()
    return [each for each in found if not (short and each.heavy)]
