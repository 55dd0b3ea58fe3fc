from __future__ import annotations

import pytest

from pipeline.kafka.topic_watch import SeenTopic, describe_growth, find_lost

KNOWN = {
    "raw": SeenTopic(partitions=4, identity=b"raw"),
    "records": SeenTopic(partitions=4, identity=b"records"),
    "letters": SeenTopic(partitions=4, identity=None),
}
KEYED = ("raw", "records")


def raw(partitions: int = 4, identity: bytes | None = b"raw") -> SeenTopic:
    return SeenTopic(partitions=partitions, identity=identity)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (None, {"raw": "was deleted"}),
        (raw(identity=b"another"), {"raw": "was deleted and made anew"}),
        (raw(partitions=3), {"raw": "was deleted and made anew"}),
        (raw(), {}),
        (raw(partitions=5), {}),
        (raw(identity=None), {}),
    ],
)
def test_a_topic_is_lost_when_it_is_gone_or_another_one(now: SeenTopic | None, told: dict[str, str]) -> None:
    assert find_lost(KNOWN, {"raw": now}) == told


def test_what_was_not_seen_is_not_judged() -> None:
    assert find_lost(KNOWN, {}) == {}
    assert describe_growth(KNOWN, {}, KEYED) is None


def test_growth_names_every_topic_with_its_counts_and_the_procedure() -> None:
    seen = {"raw": raw(partitions=6), "records": SeenTopic(partitions=5, identity=b"records")}
    told = describe_growth(KNOWN, seen, KEYED) or ""
    assert told.startswith("topic `raw` has 6 partitions and had 4 when this worker started; topic `records` has 5")
    assert "README, Adding partitions" in told


def test_the_dead_letter_topic_may_grow() -> None:
    assert describe_growth(KNOWN, {"letters": SeenTopic(partitions=9, identity=None), "raw": raw()}, KEYED) is None
