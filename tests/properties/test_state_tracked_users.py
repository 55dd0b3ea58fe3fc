"""Tracked users compared with plain dictionaries, and the messages of their topic with their source."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.core.billing_month import MILLISECONDS_A_DAY, BillingMonth
from pipeline.core.tracking import Mark
from pipeline.state import tracked_users
from pipeline.state.stored_marks import MarkCodec
from pipeline.state.tracked_users import (
    MOST_MONTHS,
    MonthOfUsers,
    TrackedUsersOfPartition,
    UserHasher,
    packed_mark,
)
from pipeline.state.user_sketch import ALL, UserSketch
from tests.fakes.tracking import month as name_of_month

if TYPE_CHECKING:
    from collections.abc import Iterable

HASHER = UserHasher("a secret that is long enough")
LAST = 2**64 - 1
TOP = 2**63 - 2
"""Kafka's offsets are signed numbers of eight bytes."""
START = 20_000 * MILLISECONDS_A_DAY
"""2024-10-04."""

few_users = st.sampled_from([0, 1, 2, 255 << 56, LAST, LAST - 1, 7 << 56, (7 << 56) + 1])
"""Both ends of a shard, for the first and the last shard."""
offsets = st.one_of(st.integers(-1, 5), st.integers(-1, TOP))
marks = st.lists(st.tuples(few_users, offsets))


def packed(found: Iterable[tuple[int, int]]) -> list[bytes]:
    return [packed_mark(user.to_bytes(8, "big"), offset) for user, offset in found]


def first_marks(found: Iterable[tuple[int, int]]) -> dict[int, int]:
    first: dict[int, int] = {}
    for user, offset in found:
        first[user] = min(offset, first.get(user, offset))
    return first


def held(users: MonthOfUsers) -> list[tuple[int, int]]:
    return [(user, -2 if (offset := users.get(user)) is None else offset) for user in users.users()]


@given(marks, marks, marks)
def test_a_month_holds_the_first_mark_of_each_user_however_marks_come(
    before: list[tuple[int, int]], loaded: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    users = MonthOfUsers()
    known: dict[int, int] = {}

    def put(user: int, offset: int) -> None:
        is_news = user not in known or offset < known[user]
        assert users.put(user, offset) is is_news
        known.update(first_marks([*known.items(), (user, offset)]))

    for user, offset in before:
        put(user, offset)
    for _, shard in groupby(sorted(packed(loaded)), key=itemgetter(0)):
        users.load_shard(list(shard))
    known.update(first_marks([*known.items(), *loaded]))
    for user, offset in after:
        put(user, offset)

    assert held(users) == sorted(known.items())
    assert len(users) == len(known)
    for user in (0, 1, 3, LAST, 7 << 56):
        assert users.get(user) == known.get(user)


spread = st.integers(0, LAST)
close = st.integers(7 << 56, (7 << 56) + 9)
in_one_shard = st.integers(7 << 56, (8 << 56) - 1)


@given(
    st.lists(st.one_of(spread, close, in_one_shard), max_size=60),
    st.lists(st.one_of(close, in_one_shard), max_size=60),
    st.lists(st.one_of(spread, close, in_one_shard), max_size=60),
)
def test_shards_are_cut_and_keep_everybody_however_close_their_hashes_are(
    before: list[int], loaded: list[int], after: list[int]
) -> None:
    users = MonthOfUsers()
    everybody = [*before, *loaded, *after]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tracked_users, "MOST_IN_SHARD", 3)
        for number, user in enumerate(before):
            users.put(user, number)
        if loaded:
            users.load_shard(packed((user, len(before) + number) for number, user in enumerate(loaded)))
        for number, user in enumerate(after):
            users.put(user, len(before) + len(loaded) + number)
    assert held(users) == sorted(first_marks((user, number) for number, user in enumerate(everybody)).items())
    assert len(users) == len(set(everybody))
    assert users.get(3 << 56) == (everybody.index(3 << 56) if 3 << 56 in everybody else None)


class PartitionMachine(RuleBasedStateMachine):
    """Messages of any time, and a clock that advances, compared with a plain dictionary of calendar months."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.users = TrackedUsersOfPartition(HASHER, BillingMonth())
        self.users.advance(self.now)
        self.model: defaultdict[str, dict[bytes, int]] = defaultdict(dict)

    def can_be(self, timestamp: int) -> bool:
        month = name_of_month(timestamp)
        is_there = month in self.model or len(self.model) < MOST_MONTHS or month > min(self.model)
        return is_there and month <= name_of_month(self.now + MILLISECONDS_A_DAY)

    @rule(days=st.integers(0, 40))
    def time_passes(self, days: int) -> None:
        self.now += days * MILLISECONDS_A_DAY
        self.users.advance(self.now)

    @rule(user=st.sampled_from([b"a", b"b", b""]), days=st.integers(-120, 60), offset=offsets)
    def a_message_marks(self, user: bytes, days: int, offset: int) -> None:
        timestamp = self.now + days * MILLISECONDS_A_DAY
        month, can_be = name_of_month(timestamp), self.can_be(timestamp)
        known = self.model[month].get(user) if month in self.model else None
        is_news = can_be and (known is None or offset < known)
        number = self.users.month_of(timestamp)
        assert self.users.mark(HASHER.hash_of(user), number, offset) is is_news
        if not can_be:
            return
        if month not in self.model and len(self.model) == MOST_MONTHS:
            del self.model[min(self.model)]
        if is_news:
            self.model[month][user] = offset

    @rule(user=st.sampled_from([b"a", b"b", b""]), days=st.integers(-120, 60), offset=offsets)
    def a_message_would_mark(self, user: bytes, days: int, offset: int) -> None:
        timestamp = self.now + days * MILLISECONDS_A_DAY
        mark = Mark(HASHER.hash_of(user), self.users.month_of(timestamp), offset)
        assert self.users.mark_of(user, timestamp, offset) == (mark if self.can_be(timestamp) else None)

    @rule(user=st.sampled_from([b"a", b"b", b"c", b""]), days=st.integers(-120, 60))
    def a_message_asks(self, user: bytes, days: int) -> None:
        timestamp = self.now + days * MILLISECONDS_A_DAY
        month = name_of_month(timestamp)
        expected = self.model[month].get(user) if month in self.model else None
        assert self.users.marked_at(user, timestamp) == expected
        number = self.users.month_of(timestamp)
        assert self.users.is_tracked(self.users.hash_of(user), number) is (expected is not None)

    @invariant()
    def users_are_counted_by_month(self) -> None:
        assert self.users.counts() == {f"{month}-01": len(users) for month, users in sorted(self.model.items())}


TestPartition = PartitionMachine.TestCase


@given(
    st.integers(0, LAST),
    st.integers(0, 2**16 - 1),
    offsets,
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=4, max_size=4),
)
def test_a_mark_comes_back_with_its_offset_and_that_of_a_former_topic_without(
    user: int, month: int, offset: int, epoch: bytes, other: bytes
) -> None:
    codec = MarkCodec(fingerprint=HASHER.fingerprint, epoch=epoch, topic="t")
    reader = MarkCodec(fingerprint=HASHER.fingerprint, epoch=other, topic="t")
    key, value = codec.mark_key(user, month), codec.mark_value(offset)
    name = user.to_bytes(8, "big")
    assert (key[:8], int.from_bytes(key[8:], "big")) == (name, month)
    assert codec.read_mark(key, value) == packed_mark(name, offset)
    assert reader.read_mark(key, value) == packed_mark(name, offset if epoch == other else -1)


@given(st.sets(st.integers(0, LAST), max_size=20), st.integers(0, 2**16 - 1), st.text(min_size=3, max_size=20))
def test_a_sketch_comes_back_as_it_was(users: set[int], month: int, name: str) -> None:
    codec = MarkCodec(fingerprint=HASHER.fingerprint, epoch=bytes(4), topic="t")
    sketch = UserSketch(users)
    found_name, found_month, found = codec.read_sketch(codec.sketch_key(name, month), codec.sketch_value(sketch))
    assert (found_name, found_month) == (name, month)
    assert (found.bound, found.dump()) == (ALL, sketch.dump())


@given(st.lists(st.integers(0, LAST), max_size=60), st.lists(st.integers(0, LAST), max_size=60))
def test_small_sketches_count_exactly_and_add_up(one: list[int], other: list[int]) -> None:
    first, second = UserSketch(one), UserSketch()
    for user in other:
        second.add(user)
    first.merge(second)
    assert first.estimate() == len(set(one) | set(other))
    assert first.estimate(lambda user: user % 2 == 0) == sum(user % 2 == 0 for user in set(one) | set(other))
