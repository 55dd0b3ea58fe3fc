from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.ids import IdField
from pipeline.core.kinds import SPELLINGS, Action, Category, Channel, kind_of
from pipeline.core.outcomes import DropReason, RejectReason
from pipeline.metrics.processor import NO_KIND, ProcessorMetrics

CLICKED = kind_of("message.push.clicked")
SENT = kind_of("message.email.sent")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"onesignal_pipeline_events_{name}", {"destination": "segment"} | labels)


def test_a_settled_batch_is_counted_by_channel_action_category_and_reason(registry: CollectorRegistry) -> None:
    metrics = ProcessorMetrics(registry, destination="segment")
    metrics.received(9)
    metrics.settled(
        messages=9,
        forwarded={CLICKED: 4},
        dropped={(SENT, DropReason.RULE): 2, (None, DropReason.TOMBSTONE): 1},
        rejected={(None, RejectReason.NOT_JSON): 2},
    )
    clicked = {"channel": "push", "action": "clicked", "category": "engagement"}
    sent = {"channel": "email", "action": "sent", "category": "delivery"}
    none = dict.fromkeys(("channel", "action", "category"), NO_KIND)
    assert value(registry, "received_total") == 9
    assert value(registry, "forwarded_total", **clicked) == 4
    assert value(registry, "dropped_total", **sent, reason="rule") == 2
    assert value(registry, "dropped_total", **none, reason="tombstone") == 1
    assert value(registry, "rejected_total", **none, reason="not_json") == 2
    assert value(registry, "in_flight") == 0


def test_what_is_given_back_is_no_longer_in_flight(registry: CollectorRegistry) -> None:
    metrics = ProcessorMetrics(registry, destination="segment")
    metrics.received(5)
    metrics.given_back(3)
    assert (value(registry, "in_flight"), value(registry, "given_back_total")) == (2, 3)


def test_foreign_keys_are_counted(registry: CollectorRegistry) -> None:
    metrics = ProcessorMetrics(registry, destination="segment")
    metrics.foreign_keys(7)
    assert value(registry, "foreign_key_total") == 7


def test_every_label_value_is_a_member_of_an_enum_or_none(registry: CollectorRegistry) -> None:
    metrics = ProcessorMetrics(registry, destination="segment")
    kinds = [kind_of(spelling) for spelling in SPELLINGS]
    metrics.settled(
        messages=0,
        forwarded=dict.fromkeys(kinds, 1),
        dropped={(None, reason): 1 for reason in DropReason},
        rejected={(None, reason): 1 for reason in RejectReason},
    )
    allowed = {
        "channel": {each.value for each in Channel} | {NO_KIND},
        "action": {each.value for each in Action} | {NO_KIND},
        "category": {each.value for each in Category} | {NO_KIND},
        "field": {each.value for each in IdField},
        "destination": {"segment"},
        "reason": {each.value for each in (*DropReason, *RejectReason)},
    }
    labels = [sample.labels for family in registry.collect() for sample in family.samples]
    assert all(found[name] in allowed[name] for found in labels for name in found)
