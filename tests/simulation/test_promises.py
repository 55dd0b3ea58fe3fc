"""The promises hold in at least 20,000 scenarios: `python -m tests.simulation` plays any others."""

from __future__ import annotations

import pytest

from tests.simulation.playing import play_seed

SEEDS = 20_000
CHUNK = 1_000


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_every_promise_holds_after_every_step(first: int) -> None:
    for seed in range(first, first + CHUNK):
        found = play_seed(seed)
        assert found is None, found
