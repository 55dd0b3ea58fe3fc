from __future__ import annotations

import re

from prometheus_client import CollectorRegistry

from pipeline.core.kinds import KINDS
from pipeline.core.outcomes import DropReason, RejectReason
from pipeline.metrics.delivery import AnswerClass, DeliveryMetrics
from pipeline.metrics.processor import ProcessorMetrics
from pipeline.metrics.stream import StreamMetrics
from pipeline.sinks.segment.record_check import SegmentRejectReason
from tests.metrics_catalogue import FEW_VALUES, FILE, LABEL_VALUES, REASONS, catalogue, page

UNITS = ("_seconds", "_bytes", "_ratio", "_info")
COUNTED = ("records", "messages", "partitions", "attempts", "lanes", "in_flight", "in_hand", "limit", "users")
"""The last words of gauges and histograms that count things."""
YES_OR_NO = ("ready", "retrying", "holding", "failing")
SINCE = ("seconds_since_progress", "so_far")


def test_the_page_is_that_of_the_code() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_names_follow_the_conventions_of_prometheus() -> None:
    for metric in catalogue():
        assert re.fullmatch(r"onesignal_pipeline_[a-z][a-z_]*[a-z]", metric.name), metric
        if metric.kind == "counter":
            assert metric.name.endswith("_total"), metric
        else:
            assert metric.name.endswith((*UNITS, *COUNTED, *YES_OR_NO, *SINCE)), metric
            assert not metric.name.endswith("_total"), metric


def test_every_metric_says_in_a_sentence_what_it_tells() -> None:
    assert [metric for metric in catalogue() if not re.fullmatch(r"[A-Z1].*\.", metric.text)] == []


def test_every_label_is_of_a_closed_set_or_of_few_values() -> None:
    for metric in catalogue():
        for label in metric.labels:
            assert label in LABEL_VALUES or label in FEW_VALUES or metric.name.partition("pipeline_")[2] in REASONS


def test_every_metric_of_processors_and_sinks_names_its_destination_first() -> None:
    parts = {"processors", "sinks"}
    assert {metric.exported_by for metric in catalogue()} == {*parts, "every worker"}
    assert [each for each in catalogue() if each.exported_by in parts and each.labels[:1] != ("destination",)] == []


def test_no_series_has_a_value_that_the_page_does_not_name() -> None:
    registries = [CollectorRegistry() for _ in range(3)]
    processor, sink, stream = (
        ProcessorMetrics(registries[0], destination="segment"),
        DeliveryMetrics(registries[1], destination="segment"),
        StreamMetrics(registries[2]),
    )
    processor.settled(
        messages=0,
        forwarded=dict.fromkeys(KINDS.values(), 1),
        dropped={(None, reason): 1 for reason in DropReason},
        rejected={(None, reason): 1 for reason in RejectReason},
    )
    for answer in AnswerClass:
        sink.attempted(answer, seconds=1)
    for reason in SegmentRejectReason:
        sink.rejected(reason, 1)
    stream.rebalanced()
    for registry in registries:
        for family in registry.collect():
            for sample in (each for each in family.samples if not each.name.endswith("_created")):
                known = {**LABEL_VALUES, "reason": REASONS.get(sample.name.removeprefix("onesignal_pipeline_"), [])}
                assert all(value in known[label] for label, value in sample.labels.items() if label != "le"), sample
