"""A sink with fakes around it, in virtual time, for the selected destination."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from pipeline.delivery.sink import Sink
from pipeline.metrics.delivery import DeliveryMetrics
from pipeline.sinks.mixpanel.api import MixpanelApi
from tests.fakes.array_api import ArrayApi
from tests.fakes.destinations import SELECTED
from tests.fakes.mixpanel import ScriptedMixpanel
from tests.fakes.segment import (
    Effect,
    FakeBatch,
    FakeDeadLetters,
    FakeMessage,
    FakeSegment,
    ScriptedApi,
    Settled,
    options,
)

if TYPE_CHECKING:
    from pipeline.delivery.api import Api
    from pipeline.sinks.segment.options import SegmentOptions


@dataclass(slots=True)
class Bench:
    """A sink with fakes around it, in virtual time. ``effects`` lists everything that happened, in order."""

    sink: Sink
    segment: FakeSegment
    dead_letters: FakeDeadLetters
    effects: list[Effect]
    registry: CollectorRegistry
    offsets: dict[int, int] = field(default_factory=dict)

    def accept(self, partition: int, *values: bytes | None, headers: Any = None) -> FakeBatch:
        """Pass a batch of values to the sink. Offsets continue from the batch before."""
        first = self.offsets.get(partition, 0)
        self.offsets[partition] = first + len(values)
        extra = {} if headers is None else {"headers": headers}
        messages = [
            FakeMessage(value=value, partition=partition, offset=first + n, **extra) for n, value in enumerate(values)
        ]
        batch = FakeBatch(partition, messages, self.effects)
        self.sink.accept(batch)
        return batch

    def count(self, name: str, **labels: str) -> float:
        labels["destination"] = SELECTED.name
        return self.registry.get_sample_value(f"onesignal_pipeline_sink_{name}", labels) or 0.0


def api_of(chosen: SegmentOptions, segment: FakeSegment) -> Api:
    """Build the selected destination with the chosen sizes; its connections go to a fake."""
    sizes = {"max_bytes": chosen.max_batch_bytes, "max_records": chosen.max_batch_records}
    if isinstance(SELECTED.api, MixpanelApi):
        return ScriptedMixpanel(segment.connect, **sizes)
    if not isinstance(SELECTED.api, ArrayApi):
        return ScriptedApi(chosen, segment.connect)
    return ArrayApi(limits=replace(SELECTED.limits, **sizes), connection=segment.connect)


def bench(*, wall_clock: float = 1_767_225_600.0, chance: float = 0.5, **changes: Any) -> Bench:
    """Build a sink with fakes around it. Its wall clock begins at ``wall_clock`` and follows the loop's."""
    effects: list[Effect] = []
    segment = FakeSegment(effects)
    dead_letters = FakeDeadLetters(effects)
    registry = CollectorRegistry()
    chosen = options(**changes)
    sink = Sink(
        api=api_of(chosen, segment),
        options=chosen,
        dead_letters=dead_letters,
        metrics=DeliveryMetrics(registry, destination=SELECTED.name),
        on_settled=lambda: effects.append(Settled()),
        wall_clock=lambda: wall_clock + asyncio.get_running_loop().time(),
        chance=lambda: chance,
    )
    return Bench(sink=sink, segment=segment, dead_letters=dead_letters, effects=effects, registry=registry)
