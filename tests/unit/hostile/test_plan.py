from __future__ import annotations

from tests.hostile.batches import Batch
from tests.hostile.collection import hostile_messages
from tests.hostile.messages import DELIVERED, UNREADABLE, HostileMessage, Outcome, Topic, always, letter
from tests.hostile.play_messages import MOST_PARTITIONS, scenes
from tests.hostile.run import LANES, Part
from tests.hostile.situations import Reaction, situations
from tests.hostile.stage import LIMITS, allowed_bytes, holds_of
from tests.memory_bound import MEBIBYTE, UNPACKED_BYTES, WORKER_BYTES, Limits
from tests.metrics_catalogue import catalogue

METRICS = """
# HELP onesignal_pipeline_holding 1 while this worker holds for that reason and needs somebody to look.
onesignal_pipeline_holding{reason="breaker"} 0.0
onesignal_pipeline_holding{reason="unreadable"} 1.0
onesignal_pipeline_holding{reason="clock"} 1.0
onesignal_pipeline_ready 1.0
"""


def message(**changes: object) -> HostileMessage:
    usual = {"sort": "s", "topic": Topic.RAW, "expected": DELIVERED, "batch": always(Batch(records=[]))}
    return HostileMessage(name="n", **{**usual, **changes})  # type: ignore[arg-type]


def test_held_messages_topics_bombs_and_heavy_messages_have_scenes_of_their_own() -> None:
    plain, rejected, held = message(), message(expected=letter("x")), message(expected=UNREADABLE)
    record, bomb, heavy = message(topic=Topic.RECORDS), message(sort="bombs, raw"), message(heavy=True)
    assert scenes([plain, held, rejected, record, bomb, heavy]) == [
        [plain, rejected],
        [held],
        [record],
        [bomb],
        [heavy],
    ]


def test_a_scene_has_no_more_partitions_than_it_may() -> None:
    assert [len(each) for each in scenes([message()] * (MOST_PARTITIONS + 1))] == [MOST_PARTITIONS, 1]
    every = hostile_messages()
    assert sorted(map(id, every)) == sorted(id(each) for scene in scenes(every) for each in scene)


def test_a_scene_is_not_mixed() -> None:
    for scene in scenes(hostile_messages()):
        assert len({(each.topic, each.expected.outcome is Outcome.HELD) for each in scene}) == 1


def test_every_part_is_played_once() -> None:
    assert sorted(part for lane in LANES for part in lane) == sorted(Part)


def test_situations_have_names_of_their_own_and_their_words() -> None:
    every = situations()
    assert len({(each.kind, each.name) for each in every}) == len(every) > 30
    assert {each.reaction for each in every} == set(Reaction)
    assert all(each.words for each in every if each.reaction is not Reaction.RUN)
    assert all(each.reasons for each in every if each.reaction is Reaction.HOLD)
    named = " ".join(each.name for each in catalogue())  # and so on the page of every worker, whatever happens
    assert [each.name for each in every if any(word in named for word in each.words)] == []
    short = situations(short=True)
    assert {each.kind for each in short} >= {each.kind for each in every} - {"settings that refuse messages"}
    assert len(short) < len(every)


def test_the_reasons_of_holds_are_read_of_the_metrics() -> None:
    assert holds_of([METRICS, ""]) == ["clock", "unreadable"]


def test_a_partition_with_a_larger_batch_may_take_more_memory() -> None:
    small, large = allowed_bytes([(1, 1_000)]), allowed_bytes([(MEBIBYTE, 1_000)])
    assert WORKER_BYTES < small < large
    assert large - small > 2 * (MEBIBYTE - LIMITS.fetch_bytes)


def test_the_bound_of_memory_is_that_of_the_readme() -> None:
    """With the numbers of docs/operate/capacity.md: 16 partitions and records of 870 bytes are 233 MB."""
    assert round((WORKER_BYTES + UNPACKED_BYTES + 16 * Limits().of_partition(870)) / 1e6) == 233
