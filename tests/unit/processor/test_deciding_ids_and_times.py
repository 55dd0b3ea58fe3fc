from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.breaker import Breaker, BreakerLimits
from pipeline.core.ids import IdField
from pipeline.core.policy import Policy
from pipeline.core.rules_file import parse_rules
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.metrics.rules import RulesMetrics
from pipeline.processor.counts import ProcessorCounts
from pipeline.processor.deciding import DecidedBatch, decide_batch
from tests.builders import SEGMENT, STORED_AT, encode, raw_event
from tests.fakes.processor import build_step
from tests.fakes.stream import BOUND_SECONDS, FakeMessage, UnsettledBatch

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.core.hold_reasons import HoldReason
    from pipeline.kafka.dead_letters import DeadLetter
    from pipeline.kafka.producer import Handed, OutboundMessage

EMPTY_IDS = [
    raw_event(external_id="nan", user={"external_id": "u-77"}),
    raw_event(external_id="null", app_id="{{ app }}", message={"id": "000", "template_id": "--"}),
    raw_event("message.push.sent", id="[object Object]", onesignal_id="all"),  # the rule drops it
    raw_event(external_id="", subscription_id="(null)"),  # nobody is left, so it is rejected
    raw_event("order.created", external_id="null"),  # an unknown kind is rejected before its ids are asked for
]
COUNTED = {
    IdField.EXTERNAL_ID: 2,
    IdField.APP_ID: 1,
    IdField.MESSAGE_ID: 1,
    IdField.TEMPLATE_ID: 1,
    IdField.EVENT_ID: 1,
    IdField.ONESIGNAL_ID: 1,
    IdField.SUBSCRIPTION_ID: 1,
}
NO_SENDS = Policy(
    records=SEGMENT, rules=parse_rules("rules: [{when: {action: sent}, then: drop}]", filename="rules.yaml")
)


def batch(*events: dict[str, Any] | None) -> UnsettledBatch:
    return UnsettledBatch(
        [
            FakeMessage(offset=offset, value=None if event is None else encode(event), timestamp=STORED_AT, key=b"u-1")
            for offset, event in enumerate(events)
        ]
    )


def sorted_batch(*events: dict[str, Any] | None, policy: Policy = NO_SENDS) -> DecidedBatch:
    return decide_batch(batch(*events), policy)


def test_ignored_ids_are_counted_by_field_whatever_becomes_of_the_event() -> None:
    found = sorted_batch(*EMPTY_IDS).tally
    assert (sum(found.forwarded.values()), sum(found.dropped.values()), sum(found.rejected.values())) == (2, 1, 2)
    counted = dict(found.ignored_ids)
    assert counted.pop(IdField.EXTERNAL_ID) in {2, 3}  # an unknown kind's may be counted or not
    assert counted == {field: number for field, number in COUNTED.items() if field is not IdField.EXTERNAL_ID}


def test_blank_ids_are_not_counted() -> None:
    blank = raw_event(external_id="", id=" ", app_id="", onesignal_id=None, message={"id": "", "template_id": "\t"})
    assert dict(sorted_batch(blank, raw_event(), None).tally.ignored_ids) == {}


@pytest.mark.parametrize("times", [{}, {"timestamp": 2024}, {"timestamp": "soon", "datetime": "never"}])
def test_forwarded_events_without_a_time_of_their_own_are_counted(times: dict[str, Any]) -> None:
    untimed = {"timestamp": None, "datetime": None, **times}
    found = sorted_batch(raw_event(**untimed), raw_event("message.push.sent", **untimed), raw_event())
    assert found.tally.untimed == 1
    assert b"2026-01-01T00:01:00.500Z" in (found.records[0].value or b"")


def test_own_words_are_counted() -> None:
    policy = Policy(records=SEGMENT, nobody_ids=frozenset({"guest"}))
    found = sorted_batch(raw_event(external_id="guest"), raw_event(external_id="Guests"), policy=policy)
    assert dict(found.tally.ignored_ids) == {IdField.EXTERNAL_ID: 1}


class Stores:
    async def hand_over(self, source_partition: int, records: Sequence[OutboundMessage]) -> Handed | None: ...

    async def store(
        self, source_partition: int, records: Sequence[OutboundMessage], handed: Handed | None = None
    ) -> None: ...

    def repeats(self, source_partition: int) -> bool:
        raise AssertionError(source_partition)


class Letters:
    retrying = False
    hold_reason: str | None = None
    holds: Collection[HoldReason] = ()

    async def store(self, letters: Sequence[DeadLetter]) -> None: ...

    def repeats(self, source_partition: int) -> bool:
        raise AssertionError(source_partition)


async def test_the_processor_hands_both_to_the_metrics() -> None:
    registry = CollectorRegistry()
    metrics = ProcessorMetrics(registry, destination="segment")
    processor = build_step(
        policy=lambda: NO_SENDS,
        records=Stores(),
        dead_letters=Letters(),
        metrics=metrics,
        counts=ProcessorCounts(metrics, RulesMetrics(registry, destination="segment")),
        breaker=Breaker(BreakerLimits(max_share=1.0, window=100)),
    )
    running = asyncio.create_task(processor.run())
    await asyncio.sleep(0)
    processor.accept(batch(*EMPTY_IDS[:4], raw_event(timestamp=2024, datetime=None)))
    await processor.drain(deadline_seconds=BOUND_SECONDS)
    running.cancel()
    await asyncio.wait({running})

    destination = {"destination": "segment"}

    def ignored(field: IdField) -> float | None:
        labels = destination | {"field": field.value}
        return registry.get_sample_value("onesignal_pipeline_ids_ignored_total", labels)

    assert registry.get_sample_value("onesignal_pipeline_events_without_time_total", destination) == 1
    assert {field: ignored(field) for field in IdField} == COUNTED
