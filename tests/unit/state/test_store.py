from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from pipeline.core.billing_month import BillingMonth
from pipeline.core.content import Content
from pipeline.core.outcomes import StateChange
from pipeline.core.tracking import Mark
from pipeline.state import restoring
from pipeline.state import store as memories_module
from pipeline.state.message_catalogue import MessageCatalogue, stored_form
from pipeline.state.restoring import TrackedUsersTopics
from pipeline.state.store import SKETCH_SECONDS, CatalogueTopic, StateStore
from pipeline.state.stored_marks import MarkCodec
from pipeline.state.tracked_users import UserHasher
from tests.fakes.kafka import KeptWrites
from tests.fakes.stream import BOUND_SECONDS, FakeMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.kafka.producer import Handed, OutboundMessage

HASHER = UserHasher("a secret that is long enough")
CODEC = MarkCodec(fingerprint=HASHER.fingerprint, epoch=b"raw1", topic="tracked")
NOW = round(datetime(2026, 11, 25, tzinfo=UTC).timestamp() * 1000)
NOVEMBER = BillingMonth().first_day(NOW)
SAID = Content(id="m-1", name="welcome")
DAY_MS = 86_400_000
LEARNT = [StateChange(learnt=SAID)]
MARKED = [StateChange(mark=Mark(7, NOVEMBER, 41))]


class SlowWrites(KeptWrites):
    """A producer that confirms when the test allows."""

    def __init__(self) -> None:
        super().__init__()
        self.may_confirm = asyncio.Event()
        self.may_confirm.set()

    async def write(
        self, topic: str, partition: int, outbound: Sequence[OutboundMessage], *, handed: Handed | None = None
    ) -> None:
        await super().write(topic, partition, outbound, handed=handed)
        await self.may_confirm.wait()


class FakeFollower:
    """Keeps what is followed (`pipeline.state.following.Follower`)."""

    def __init__(self) -> None:
        self.followed: dict[tuple[str, int], int] = {}
        self.error: Exception | None = None

    def follow(self, topic: str, partition: int, position: int, take: object) -> None:
        del take
        self.followed[topic, partition] = position

    def leave(self, topic: str, partition: int) -> None:
        self.followed.pop((topic, partition), None)

    def check(self) -> None:
        if self.error is not None:
            raise self.error


class Bench:
    """A state store on a producer that keeps what is written, and on topics with the contents that the test sets."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, tracks: bool = True, feed: str | None = None, learns: bool = True
    ) -> None:
        self.now = NOW
        self.held: dict[str, list[FakeMessage]] = {}
        self.kept = SlowWrites()
        self.follower = FakeFollower()
        self.catalogue = MessageCatalogue(days=90)
        self.read: list[tuple[str, int]] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        for module in (memories_module, restoring):
            monkeypatch.setattr(module, "read_to_end", self._read_to_end)
        follower: Any = self.follower
        self.store = StateStore(
            connection={},
            producer=self.kept,
            follower=follower,
            hasher=HASHER,
            month=BillingMonth(),
            now_ms=lambda: self.now,
            tracked=TrackedUsersTopics(topic="tracked", codec=CODEC, feed=feed) if tracks else None,
            catalogue=CatalogueTopic(topic="catalogue", messages=self.catalogue) if learns else None,
        )

    async def _read_to_end(
        self, connection: object, topic: str, partition: int, take: Callable[[Sequence[Any]], None]
    ) -> int:
        del connection
        await self.may_read.wait()
        self.read.append((topic, partition))
        take(self.held.get(topic, []))
        return 17

    @property
    def written(self) -> list[tuple[str, int, list[bytes | None]]]:
        return [
            (topic, partition, [message.key for message in outbound]) for topic, partition, outbound in self.kept.writes
        ]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch, feed="feed")


async def test_a_memory_is_complete_when_the_catalogue_the_marks_and_the_feed_are_read(bench: Bench) -> None:
    bench.may_read.clear()
    restoring_it = asyncio.create_task(bench.store.restore(3))
    await asyncio.sleep(0)
    assert not bench.store.is_complete(3)
    bench.may_read.set()
    await asyncio.wait_for(restoring_it, BOUND_SECONDS)
    assert bench.store.is_complete(3)
    assert bench.read == [("catalogue", 0), ("tracked", 3), ("feed", 3)]
    assert bench.follower.followed == {("catalogue", 0): 17, ("feed", 3): 17}


async def test_no_state_is_complete_before_the_catalogue_is(bench: Bench) -> None:
    await bench.store.restore(3)
    bench.store._catalogue_is_read = False
    assert not bench.store.is_complete(3)


async def test_what_messages_said_is_stored_in_the_catalogue(bench: Bench) -> None:
    await bench.store.restore(3)
    await bench.store.store(3, LEARNT)
    assert bench.written == [("catalogue", 0, [b"m-1"])]
    (_, _, (message,)) = bench.kept.writes[0]
    assert stored_form(SAID) == (message.key, message.value)


async def test_marks_are_stored_in_the_partition_of_their_messages(bench: Bench) -> None:
    await bench.store.restore(3)
    await bench.store.store(3, MARKED)
    assert bench.written == [("tracked", 3, [CODEC.mark_key(7, NOVEMBER)])]
    assert bench.kept.writes[0][2][0].value == CODEC.mark_value(41)


async def test_storing_returns_when_everything_is_confirmed(bench: Bench) -> None:
    await bench.store.restore(3)
    bench.kept.may_confirm.clear()
    storing = asyncio.create_task(bench.store.store(3, [*LEARNT, *MARKED]))
    await asyncio.wait({storing}, timeout=0.02)
    assert [topic for topic, _, _ in bench.written] == ["tracked", "catalogue"], "side by side"
    assert not storing.done()
    bench.kept.may_confirm.set()
    await asyncio.wait_for(storing, BOUND_SECONDS)


async def test_a_write_that_fails_is_raised(bench: Bench) -> None:
    await bench.store.restore(3)
    bench.kept.error = OSError("no more")
    with pytest.raises(OSError, match="no more"):
        await bench.store.store(3, LEARNT)


async def test_what_is_learnt_and_not_stored_is_forgotten_with_its_partition(bench: Bench) -> None:
    await bench.store.restore(3)
    bench.store.of(3).remember(LEARNT[0])
    bench.store.forget([3])
    assert bench.catalogue.find("m-1") is None


async def test_what_is_learnt_and_stored_outlives_its_partition(bench: Bench) -> None:
    await bench.store.restore(3)
    bench.store.of(3).remember(LEARNT[0])
    await bench.store.store(3, LEARNT)
    bench.store.forget([3])
    assert bench.catalogue.find("m-1") == SAID


async def test_a_partition_that_comes_back_is_read_back_again(bench: Bench) -> None:
    await bench.store.restore(3)
    former = bench.store.of(3)
    bench.store.forget([3, 4])
    assert not bench.store.is_complete(3)
    assert bench.follower.followed == {("catalogue", 0): 17}
    await bench.store.restore(3)
    assert bench.store.of(3) is not former
    assert bench.read == [("catalogue", 0), ("tracked", 3), ("feed", 3), ("tracked", 3), ("feed", 3)]


async def test_a_partition_that_is_there_is_not_read_twice(bench: Bench) -> None:
    await bench.store.restore(3)
    state = bench.store.of(3)
    await bench.store.restore(3)
    assert bench.store.of(3) is state


async def test_nothing_is_decided_when_what_others_write_is_not_followed_any_more(bench: Bench) -> None:
    await bench.store.restore(3)
    bench.follower.error = RuntimeError("a fault of the follower")
    with pytest.raises(RuntimeError, match="a fault of the follower"):
        bench.store.of(3)


async def test_changed_sketches_are_stored_at_most_every_half_minute(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.store.restore(3)
    now = 1_000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    told = []
    for later in (0.0, SKETCH_SECONDS - 1.0, 1.0):
        now += later
        bench.store.of(3).dropped_delivery(b"u-%d" % now, NOW)
        told.append(bench.store.has_to_store(3, []))
        await bench.store.store(3, [])
    assert told == [True, False, True]
    assert bench.written == [("tracked", 3, [CODEC.sketch_key("delivery", NOVEMBER)])] * 2


async def test_changes_are_stored_whatever_the_time(bench: Bench) -> None:
    await bench.store.restore(3)
    await bench.store.store(3, [])
    assert bench.store.has_to_store(3, MARKED)


async def test_users_who_were_marked_before_are_tracked_when_a_partition_is_read_back(bench: Bench) -> None:
    bench.held["tracked"] = [FakeMessage(offset=0, key=CODEC.mark_key(7, NOVEMBER), value=CODEC.mark_value(41))]
    with capture_logs() as logs:
        await bench.store.restore(3)
    state = bench.store.of(3)
    assert state.state.tracked_users is state.users
    assert state.users.is_tracked(7, NOVEMBER)
    assert bench.store.tracked_users() == 1
    assert {"event": "tracked users read back", "partition": 3, "users": {"2026-11-01": 1}, "log_level": "info"} in logs


async def test_messages_that_were_learnt_before_are_known_when_the_catalogue_is_read(bench: Bench) -> None:
    key, value = stored_form(SAID) or (b"", b"")
    bench.held["catalogue"] = [FakeMessage(offset=0, key=key, value=value, timestamp=NOW)]
    with capture_logs() as logs:
        await bench.store.restore(3)
    assert bench.store.of(3).state.catalogue is bench.catalogue
    assert bench.catalogue.find("m-1") == SAID
    assert bench.store.catalogue_size() == 1
    assert {"event": "message catalogue read back", "messages": 1, "log_level": "info"} in logs


async def test_a_memory_is_that_of_now(bench: Bench) -> None:
    await bench.store.restore(3)
    bench.store.of(3).remember(LEARNT[0])
    for _ in range(91):
        bench.now += DAY_MS
        bench.store.of(3)
    assert bench.catalogue.find("m-1") is None


@pytest.mark.parametrize(
    ("partition", "found"), [(("tracked", 3), {3}), (("catalogue", 0), {3, 4}), (("other", 3), set())]
)
async def test_a_repeated_write_is_one_of_its_partition_and_one_to_the_catalogue_is_everybodys(
    partition: tuple[str, int], found: set[int], bench: Bench
) -> None:
    bench.kept._repeating.add(partition)
    assert {number for number in (3, 4) if bench.store.repeats(number)} == found


@pytest.mark.parametrize("learns", [False, True])
async def test_without_topics_nothing_is_read_written_or_repeated(
    monkeypatch: pytest.MonkeyPatch, *, learns: bool
) -> None:
    bench = Bench(monkeypatch, tracks=False, learns=learns)
    await bench.store.restore(3)
    assert bench.store.is_complete(3)
    assert bench.store.of(3).state.tracked_users is None
    assert not bench.store.tracks
    assert not bench.store.has_to_store(3, [])
    await bench.store.store(3, MARKED)
    assert not bench.store.repeats(3)
    assert bench.store.catalogue_size() == 0
    bench.store.forget([3])
    assert (bench.read, bench.written) == ([("catalogue", 0)] if learns else [], [])


async def test_a_partition_without_a_feed_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    await bench.store.restore(3)
    assert bench.store.tracks
    assert bench.follower.followed == {("catalogue", 0): 17}
    bench.follower.followed[None, 3] = 0  # type: ignore[index] # what no feed would be called
    bench.store.forget([3])
    assert len(bench.follower.followed) == 2


async def test_users_of_shadow_rules_and_of_dropped_deliveries_are_counted_over_all_partitions(bench: Bench) -> None:
    for number in (3, 4):
        await bench.store.restore(number)
        state = bench.store.of(number)
        state.shadowed("cheap", b"u-%d" % number, NOW)
        state.dropped_delivery(b"u-%d" % number, NOW)
        state.dropped_delivery(b"v-%d" % number, NOW)
    assert bench.store.shadow_users() == {"cheap": 2.0}
    assert bench.store.users_delivery_would_add() == 4.0
