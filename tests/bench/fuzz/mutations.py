"""The mutations of a body's draft, and how often each is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.bench.fuzz import shape_faults, value_faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.bench.fuzz.drafts import Draft

MUTATIONS: Final[tuple[tuple[Callable[[Draft, Random], None], int], ...]] = (
    (value_faults.ids, 14),
    (value_faults.texts, 7),
    (value_faults.numbers, 7),
    (value_faults.controls, 5),
    (value_faults.times, 10),
    (value_faults.kinds, 7),
    (value_faults.languages, 9),
    (shape_faults.second_names, 10),
    (value_faults.localized, 8),
    (value_faults.nothing_characters, 4),
    (value_faults.event_id, 3),
    (value_faults.tags, 4),
    (value_faults.urls, 5),
    (value_faults.live_activities, 3),
    (value_faults.late, 4),
    (value_faults.wrong_types, 5),
    (shape_faults.removed, 4),
    (shape_faults.other_keys, 3),
    (shape_faults.doubled, 5),
    (shape_faults.parts, 4),
    (value_faults.half_emoji, 2),
    (value_faults.long_texts, 1),
)
