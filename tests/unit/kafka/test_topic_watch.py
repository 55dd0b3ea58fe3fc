from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from pipeline.kafka.broker_clock import BrokerClock
from pipeline.kafka.connection import ConnectionOptions
from pipeline.kafka.topic_watch import SeenTopic, TopicWatch, describe_growth, find_lost

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
        (raw(identity=b"another"), {"raw": "was deleted and recreated"}),
        (raw(partitions=3), {"raw": "was deleted and recreated"}),
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
    assert "docs/operate/topics.md, Adding partitions" in told


def test_the_dead_letter_topic_may_grow() -> None:
    assert describe_growth(KNOWN, {"letters": SeenTopic(partitions=9, identity=None), "raw": raw()}, KEYED) is None


class Watch(TopicWatch):
    """Checks healthy topics once an hour; counts its checks, and how often it woke up."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0
        clock = BrokerClock(limit_seconds=600, wall=lambda: 1_800_000_000 + self.ahead_seconds, steady=lambda: 0.0)
        clock.report(1_800_000_000_000, asked_at=0.0)
        connection = ConnectionOptions(bootstrap_servers="127.0.0.1:1", security_protocol="PLAINTEXT")
        super().__init__(connection, interval_seconds=3_600, clock=clock)
        self._known = dict(KNOWN)
        self.looks = self.awake = 0
        self._woke = asyncio.Event()

    async def until(self, *, looks: int = 0, awake: int = 0) -> None:
        while self.looks < looks or self.awake < awake:
            self._woke.clear()
            await self._woke.wait()

    @property
    def complaint(self) -> str | None:
        self.awake += 1
        self._woke.set()
        return super().complaint

    async def _look(self) -> dict[str, SeenTopic | None]:
        self.looks += 1
        return dict(KNOWN)

    async def _look_closer(self, silent: int) -> None:
        assert not silent


async def test_while_something_is_wrong_a_watch_looks_soon_again_whatever_its_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.kafka.topic_watch.WRONG_SECONDS", 0.001)
    watch = Watch()
    running = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(30):
            await watch.until(awake=5)
            assert watch.looks == 1
            watch.ahead_seconds = 7_200.0
            await watch.until(looks=3)
            watch.ahead_seconds = 0.0
            await watch.until(awake=watch.awake + 5)
            looks = watch.looks
            await watch.until(awake=watch.awake + 5)
            assert watch.looks == looks
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
