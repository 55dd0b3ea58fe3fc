from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from pipeline.core.billing_month import BillingMonth
from pipeline.core.content import Content
from pipeline.core.outcomes import StateChange
from pipeline.core.tracking import BEFORE_THE_LOG
from pipeline.state.message_catalogue import MessageCatalogue
from pipeline.state.partition_state import HASHED, MarksReader, PartitionState, take_feed
from pipeline.state.restoring import TrackedUsersTopics, feed_taker, in_time
from pipeline.state.sketches import DELIVERY
from pipeline.state.stored_marks import ForeignStateError, MarkCodec
from pipeline.state.tracked_users import UserHasher, packed_mark
from pipeline.state.user_sketch import UserSketch
from tests.fakes.stream import FakeMessage

HASHER = UserHasher("a secret that is long enough")
OTHER = UserHasher("another secret, as long as that")
MONTH = BillingMonth()


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOW = at("2026-11-25T12:00")
OCTOBER, NOVEMBER, DECEMBER = (MONTH.first_day(at(f"2026-{month}-15")) for month in (10, 11, 12))


def new_state(catalogue: MessageCatalogue | None = None, *, tracks: bool = True, now: int = NOW) -> PartitionState:
    found = PartitionState(HASHER, MONTH, catalogue, tracks=tracks)
    found.advance(now)
    return found


def codec(hasher: UserHasher = HASHER, epoch: bytes = b"raw1") -> MarkCodec:
    return MarkCodec(fingerprint=hasher.fingerprint, epoch=epoch, topic="tracked")


def mark(user: bytes, offset: int, month: int = NOVEMBER, *, epoch: bytes = b"raw1") -> FakeMessage:
    writer = codec(epoch=epoch)
    return FakeMessage(offset=0, key=writer.mark_key(HASHER.hash_of(user), month), value=writer.mark_value(offset))


def marks(state: PartitionState, user: bytes, timestamp: int, offset: int) -> None:
    """Apply the mark of a forwarded message."""
    state.remember(StateChange(mark=state.users.mark_of(user, timestamp, offset)))


def test_a_change_is_known_from_the_next_message_on() -> None:
    found = new_state()
    assert found.state.tracked_users is found.users
    assert found.users.marked_at(b"u-1", NOW) is None
    marks(found, b"u-1", NOW, 7)
    assert found.users.marked_at(b"u-1", NOW) == 7
    assert found.users.marked_at(b"u-2", NOW) is None
    assert found.users.marked_at(b"u-1", at("2026-10-31T23:59:59")) is None
    assert found.users.marked_at(b"u-1", at("2026-11-01")) == 7


def test_users_are_tracked_only_where_that_is_wanted() -> None:
    assert new_state(tracks=False).state.tracked_users is None


def test_what_a_message_said_goes_to_the_catalogue() -> None:
    catalogue, said = MessageCatalogue(days=90), Content(id="m-1", name="welcome")
    found = new_state(catalogue)
    assert found.state.catalogue is catalogue
    found.remember(StateChange(learnt=said))
    assert catalogue.find("m-1") == said
    new_state().remember(StateChange(learnt=said))


def test_what_was_learnt_and_not_stored_is_learnt_again_when_a_partition_is_given_up() -> None:
    catalogue = MessageCatalogue(days=90)
    found = new_state(catalogue)
    changes = [StateChange(learnt=Content(id=f"m-{number}", name="welcome")) for number in range(3)]
    for change in changes:
        found.remember(change)
    found.stored([*changes[:2], StateChange(mark=found.users.mark_of(b"u-1", NOW, 7))])
    found.forget_unstored()
    new_state().forget_unstored()
    assert [catalogue.find(f"m-{number}") is not None for number in range(3)] == [True, True, False]


def test_a_month_begins_empty_and_the_present_one_stays_for_late_messages() -> None:
    found = new_state()
    marks(found, b"u-1", NOW, 7)
    found.advance(december := at("2026-12-01T00:00:00"))
    assert found.users.marked_at(b"u-1", december) is None
    marks(found, b"u-1", december, 99)
    assert (found.users.marked_at(b"u-1", NOW), found.users.marked_at(b"u-1", december)) == (7, 99)
    assert found.users.counts() == {"2026-11-01": 1, "2026-12-01": 1}


def test_a_message_from_the_future_marks_nobody_and_pushes_nothing_out() -> None:
    found = new_state()
    marks(found, b"u-1", NOW, 7)
    for year in range(2027, 2060):
        marks(found, b"u-1", at(f"{year}-01-01"), 8)
    assert found.users.counts() == {"2026-11-01": 1}


@pytest.mark.parametrize("start_day", [1, 15])
@pytest.mark.parametrize("timestamp", [-1, 0, -(2**62), 2**62])
def test_a_message_without_a_time_or_with_none_that_can_be_marks_nobody(timestamp: int, start_day: int) -> None:
    found = PartitionState(HASHER, BillingMonth(start_day), None, tracks=True)
    found.advance(NOW)
    marks(found, b"u-1", timestamp, 7)
    assert found.users.marked_at(b"u-1", timestamp) is None
    assert found.users.counts() == {}


def test_users_of_dropped_delivery_events_count_until_they_are_tracked() -> None:
    found = new_state()
    for user in (b"u-1", b"u-2", b"u-2", b"u-3"):
        found.dropped_delivery(user, NOW)
    assert found.users_delivery_would_add(NOVEMBER) == 3
    marks(found, b"u-2", NOW, 7)
    assert found.users_delivery_would_add(NOVEMBER) == 2
    assert found.users_delivery_would_add(OCTOBER) == 0


def test_users_of_shadow_rules_are_counted_by_rule() -> None:
    found = new_state()
    for rule, user in (("night", b"u-1"), ("night", b"u-2"), ("night", b"u-2"), ("weekend", b"u-1")):
        found.shadowed(rule, user, NOW)
    assert {name: found.sketches.estimate(name, NOVEMBER) for name in found.sketches.names(NOVEMBER)} == {
        "shadow:night": 2,
        "shadow:weekend": 1,
    }


def load_marks(reader: MarksReader) -> int:
    """Sort what was read back; return how many steps it took."""
    return sum(1 for _ in reader.load_marks())


def test_marks_are_read_back_by_month_and_the_earliest_counts() -> None:
    found = new_state()
    reader = MarksReader(codec(), found)
    reader.take([mark(b"u-1", 50), mark(b"u-1", 20, OCTOBER), mark(b"u-2", 8)])
    reader.take([mark(b"u-1", 30), mark(b"u-1", 40), mark(b"u-2", 9)])
    assert load_marks(reader) == 3
    assert reader.former == 0
    assert found.users.marked_at(b"u-1", NOW) == 30
    assert found.users.marked_at(b"u-2", NOW) == 8
    assert found.users.marked_at(b"u-1", at("2026-10-02")) == 20


def test_marks_of_a_month_that_has_not_begun_are_not_read_back() -> None:
    found = new_state()
    reader = MarksReader(codec(), found)
    reader.take([mark(b"u-1", 5, DECEMBER)])
    assert load_marks(reader) == 0
    found.users.load_shard(DECEMBER, [packed_mark(HASHER.hash_of(b"u-1").to_bytes(8, "big"), 5)])
    assert found.users.counts() == {}


def test_of_many_months_the_newest_three_are_read_back_whatever_their_order() -> None:
    found = new_state()
    reader = MarksReader(codec(), found)
    months = [OCTOBER - 31 * number for number in range(40)]
    for month in (*months[5:20], NOVEMBER, *months[20:], *months[:5], DECEMBER):
        reader.take([mark(b"u-%d" % month, 5, month)])
    load_marks(reader)
    assert [month for month, _ in found.users.months()] == sorted([NOVEMBER, *months[:2]])


def test_a_step_of_reading_back_sorts_a_small_part_and_each_mark_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found, loaded = new_state(), Counter[int]()
    load = found.users.load_shard

    def counted(month: int, marks: list[bytes]) -> None:
        loaded[len(marks)] += 1
        load(month, marks)

    reader = MarksReader(codec(), found)
    for start in range(0, 20_000, 1_000):
        reader.take([mark(b"u-%d" % number, number) for number in range(start, start + 1_000)])
    monkeypatch.setattr(found.users, "load_shard", counted)
    assert load_marks(reader) == 256
    assert sum(size * times for size, times in loaded.items()) == 20_000
    assert max(loaded) < 20_000 / 100
    assert found.users.count(NOVEMBER) == 20_000


def test_marks_of_a_former_raw_topic_are_counted_and_come_before_the_log() -> None:
    found = new_state()
    reader = MarksReader(codec(), found)
    reader.take([mark(b"u-1", 5), mark(b"u-2", 5, epoch=b"raw0"), mark(b"u-2", 6, epoch=b"raw0")])
    load_marks(reader)
    assert reader.former == 2
    assert found.users.marked_at(b"u-1", NOW) == 5
    assert found.users.marked_at(b"u-2", NOW) == BEFORE_THE_LOG


def test_deleted_stored_messages_are_passed_over_and_sketches_are_merged() -> None:
    found = new_state()
    found.dropped_delivery(b"u-1", NOW)
    written = codec()
    sketch = FakeMessage(
        offset=0,
        key=written.sketch_key(DELIVERY, NOVEMBER),
        value=written.sketch_value(UserSketch([HASHER.hash_of(b"u-1"), HASHER.hash_of(b"u-2")])),
    )
    reader = MarksReader(codec(), found)
    reader.take([FakeMessage(offset=0, key=b"k", value=None), FakeMessage(offset=0, key=None), sketch])
    load_marks(reader)
    assert found.users_delivery_would_add(NOVEMBER) == 2
    assert found.users.counts() == {}


def test_entries_of_another_secret_are_refused() -> None:
    reader = MarksReader(codec(OTHER), new_state())
    with pytest.raises(ForeignStateError, match="another PIPELINE_TRACKED_USERS_SECRET"):
        reader.take([mark(b"u-1", 5)])


def fed(key: bytes | None, *headers: tuple[str, bytes], timestamp: int = NOW) -> FakeMessage:
    return FakeMessage(offset=77, key=key, value=b"anything", timestamp=timestamp, headers=headers)


def feed(found: PartitionState, records: list[FakeMessage]) -> int:
    """Mark the users of the feed; return how many messages could not be used."""

    def mark_user(user: int, month: int) -> None:
        found.users.mark(user, month, BEFORE_THE_LOG)

    return take_feed(found.users, records, HASHER.fingerprint, mark_user)


def test_a_fed_user_was_tracked_before_every_message_of_the_log() -> None:
    found = new_state()
    marks(found, b"u-1", NOW, 7)
    records = [fed(b"u-1"), fed(b"u-2"), fed(b"u-3", timestamp=at("2026-10-31T23:59")), fed(b"u-4", ("trace", b"1"))]
    assert feed(found, records) == 0
    assert [found.users.marked_at(user, NOW) for user in (b"u-1", b"u-2", b"u-3", b"u-4")] == [-1, -1, None, -1]
    assert found.users.marked_at(b"u-3", at("2026-10-01")) == BEFORE_THE_LOG


def test_a_fed_user_of_a_month_that_begins_is_marked_though_no_raw_message_has_told_the_time() -> None:
    found, december = new_state(), at("2026-12-01T00:00:01")
    topics = TrackedUsersTopics(topic="tracked", codec=codec(), feed="feed")
    in_time(found, lambda: december, feed_taker(topics, 0, found))([fed(b"u-1", timestamp=december)])
    assert found.users.marked_at(b"u-1", december) == BEFORE_THE_LOG


def test_a_hashed_stored_message_of_the_feed_names_user_and_month_itself() -> None:
    found = new_state()
    header = (HASHED, HASHER.fingerprint)
    records = [fed(codec().mark_key(HASHER.hash_of(b"u-1"), month), header) for month in (OCTOBER, NOVEMBER)]
    assert feed(found, records) == 0
    assert found.users.counts() == {"2026-10-01": 1, "2026-11-01": 1}
    assert found.users.marked_at(b"u-1", NOW) == BEFORE_THE_LOG


def test_entries_of_the_feed_that_mean_nothing_mark_nobody_and_are_counted() -> None:
    found = new_state()
    key = codec().mark_key(HASHER.hash_of(b"u-1"), NOVEMBER)
    records = [
        fed(None),
        fed(b""),
        fed(key, (HASHED, OTHER.fingerprint)),
        fed(key[:8], (HASHED, HASHER.fingerprint)),
    ]
    assert feed(found, records) == 4
    assert found.users.counts() == {}
