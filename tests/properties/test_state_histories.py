"""Decisions based on state agree with a simple model of the rules, whichever processor is killed at whatever moment.

A history is a raw partition of a few months: clicks and sends of a few users. Processors read it batch by batch, and
are killed between any two effects of a batch: its changes, its records, its commit. What they wrote outlives them; a
zombie may write again what its successor has written; the topic is compacted in between.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.billing_month import BillingMonth
from pipeline.core.policy import Policy
from pipeline.core.rules_file import parse_rules
from pipeline.processor.deciding import DecidedBatch, decide_batch
from pipeline.state.following import Follower
from pipeline.state.partition_state import MarksReader, PartitionState
from pipeline.state.restoring import TrackedUsersTopics
from pipeline.state.store import StateStore
from pipeline.state.stored_marks import NO_EPOCH, MarkCodec
from pipeline.state.tracked_users import MOST_MONTHS, UserHasher
from tests.builders import SEGMENT, STORED_AT, encode, raw_event
from tests.fakes.stream import FakeMessage, UnsettledBatch
from tests.fakes.tracking import month

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.kafka.producer import OutboundMessage

DAY: Final = 86_400_000
USERS: Final = 2
POLICY: Final = Policy(
    records=SEGMENT,
    rules=parse_rules(
        "rules: [{when: {category: delivery}, then: tracked_only}, {when: {channel: email}, then: drop}]",
        filename="rules.yaml",
    ),
)
HASHER: Final = UserHasher("a secret of the tests")
CODEC: Final = MarkCodec(fingerprint=HASHER.fingerprint, epoch=NO_EPOCH, topic="tracked-users")
KINDS: Final = ("message.push.sent", "message.push.clicked", "message.email.clicked")
TOO_LARGE: Final = "x" * 40_000


@dataclass(frozen=True, slots=True)
class Fact:
    """One message of a history: user, kind, the day on which Kafka stored it, and whether it matches."""

    user: int
    kind: str
    day: int
    fits: bool


def model(history: Sequence[Fact]) -> list[bool]:
    """Decide by the rules in their simplest form."""
    tracked: set[tuple[int, str]] = set()
    kept = []
    for fact in history:
        month_of_user = (fact.user, month(STORED_AT + fact.day * DAY))
        clicked = fact.fits and fact.kind == "message.push.clicked"
        kept.append(clicked or (fact.fits and fact.kind == "message.push.sent" and month_of_user in tracked))
        if clicked:
            tracked.add(month_of_user)
    return kept


@dataclass(slots=True)
class Topic:
    """The topic of tracked users, written to by every running processor (`pipeline.kafka.producer.BatchProducer`)."""

    messages: list[OutboundMessage] = field(default_factory=list)

    async def write(self, topic: str, partition: int, messages: Sequence[OutboundMessage]) -> None:
        assert (topic, partition) == ("tracked-users", 0)
        self.messages += messages

    def compact(self) -> None:
        latest = {message.key: message for message in self.messages}
        self.messages = [message for message in self.messages if latest[message.key] is message]


def body(fact: Fact, offset: int) -> bytes:
    message = {} if fact.fits else {"name": TOO_LARGE}
    return encode(raw_event(fact.kind, id=f"e-{offset}", external_id=f"u-{fact.user}", message=message))


class Life:
    """One processor from its start to its kill."""

    def __init__(self, topic: Topic, now_ms: int) -> None:
        self._store = StateStore(
            connection={},
            producer=topic,  # type: ignore[arg-type] # a topic in memory
            follower=Follower({}),
            hasher=HASHER,
            month=BillingMonth(),
            now_ms=lambda: now_ms,
            tracked=TrackedUsersTopics(topic="tracked-users", codec=CODEC),
            catalogue=None,
        )
        state = PartitionState(HASHER, BillingMonth(), None, tracks=True)
        state.advance(now_ms)
        reader = MarksReader(CODEC, state)
        reader.take(topic.messages)
        for _ in reader.load_marks():
            pass
        self._store._partitions[0] = state

    def decide(self, messages: Sequence[FakeMessage]) -> DecidedBatch:
        return decide_batch(UnsettledBatch(messages), POLICY, view=self._store.of(0))

    async def store(self, decided: DecidedBatch) -> None:
        await self._store.store(0, decided.changes)


def facts(*days: int) -> st.SearchStrategy[Fact]:
    fits = st.sampled_from([True, True, True, False])
    return st.builds(Fact, st.integers(0, USERS - 1), st.sampled_from(KINDS), st.sampled_from(days), fits)


steps = st.lists(
    st.tuples(st.integers(2, 8), st.sampled_from(["committed", "killed", "stored", "written"]), st.booleans()),
    min_size=3,
    max_size=12,
)


jumping = st.lists(facts(0, 30, 31, 70), min_size=4, max_size=30)
"""Kafka's times may jump if they are those of the producers; three months of them are kept."""
in_order = st.lists(facts(0, 30, 31, 70, 100, 140), min_size=4, max_size=30).map(
    lambda found: sorted(found, key=lambda fact: fact.day)
)


CLICKED: Final = Fact(0, "message.push.clicked", 0, True)  # noqa: FBT003
SENT: Final = replace(CLICKED, kind="message.push.sent")
FOUR_MONTHS: Final = [SENT, SENT, SENT, CLICKED, SENT, *(replace(CLICKED, day=day) for day in (31, 70, 100))]


@settings(max_examples=300)
@example(FOUR_MONTHS, [(2, "committed", False), (2, "committed", False), (4, "stored", False)])
@given(jumping | in_order, steps)
def test_decisions_are_a_function_of_the_log_whatever_is_killed(
    history: list[Fact], deaths: list[tuple[int, str, bool]]
) -> None:
    asyncio.run(play(history, deaths))


def within_the_months_remembered(batch: list[FakeMessage]) -> list[FakeMessage]:
    """Return the beginning of a batch, up to the number of months that the state keeps.

    A batch that spans more drops its own first month, and would find no tracked users there if it were redelivered.
    """
    months: set[str] = set()
    for count, message in enumerate(batch):
        months.add(month(message.timestamp))
        if len(months) > MOST_MONTHS:
            return batch[:count]
    return batch


async def play(history: list[Fact], deaths: list[tuple[int, str, bool]]) -> None:
    raw = [
        FakeMessage(
            offset=offset,
            key=b"u-%d" % fact.user,
            value=body(fact, offset),
            timestamp=STORED_AT + fact.day * DAY,
        )
        for offset, fact in enumerate(history)
    ]
    expected = {f"e-{offset}" for offset, kept in enumerate(model(history)) if kept}
    topic, committed, plan = Topic(), 0, iter(deaths)
    life = Life(topic, raw[-1].timestamp + 160 * DAY)
    undead: tuple[Life, DecidedBatch] | None = None
    while committed < len(raw):
        size, death, compacts = next(plan, (3, "committed", False))
        batch = within_the_months_remembered(raw[committed : committed + size])
        decided = life.decide(batch)
        ids = {message.headers[2][1] for message in decided.records}
        wanted = {b"%d" % message.offset for message in batch if f"e-{message.offset}" in expected}
        assert ids == wanted, f"offsets {committed} to {committed + size - 1}"
        if death != "killed":
            await life.store(decided)
        if death == "committed":
            committed += len(batch)
        else:
            if undead is not None:  # a zombie writes after its successor
                await undead[0].store(undead[1])
            undead = (life, decided)
            if compacts:
                topic.compact()
            life = Life(topic, raw[-1].timestamp + 160 * DAY)
