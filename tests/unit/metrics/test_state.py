from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from pipeline.metrics.state import StateMetrics

if TYPE_CHECKING:
    from collections.abc import Mapping


class StateStore:
    def __init__(self, *, tracks: bool) -> None:
        self.tracks = tracks

    def tracked_users(self) -> int:
        return 7

    def users_delivery_would_add(self) -> float:
        return 3.5

    def shadow_users(self) -> Mapping[str, float]:
        return {"night": 2.0}

    def catalogue_size(self) -> int:
        return 11


@pytest.mark.parametrize("tracks", [True, False])
def test_numbers_that_rest_on_tracked_users_are_shown_only_where_users_are_tracked(*, tracks: bool) -> None:
    registry = CollectorRegistry()
    StateMetrics(registry, destination="segment").watch(StateStore(tracks=tracks))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"onesignal_pipeline_{name}", {"destination": "segment"} | labels)

    assert (value("tracked_users"), value("users_delivery_would_add_so_far")) == ((7, 3.5) if tracks else (None, None))
    assert value("message_catalogue_messages") == 11
    assert value("rule_shadow_users", rule="night") == 2
