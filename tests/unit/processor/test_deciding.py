from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.content import Content
from pipeline.core.policy import Policy
from pipeline.core.processing import State
from pipeline.core.rules_file import parse_rules
from pipeline.processor.deciding import DecidedBatch, decide_batch, sum_of
from tests.builders import SEGMENT, STORED_AT, encode, raw_event
from tests.fakes.stream import FakeMessage, UnsettledBatch
from tests.fakes.tracking import PlainCatalogue, PlainTrackedUsers

if TYPE_CHECKING:
    from pipeline.core.outcomes import StateChange

RULES = """
rules:
  - {name: shadow, when: {action: sent}, then: drop, shadow: true}
  - {name: cheap, when: {category: delivery}, then: tracked_only}
"""

DROPPING = (
    "rules: [{name: shadow, when: {action: clicked}, then: drop, shadow: true}, {when: {action: sent}, then: drop}]"
)


class PlainState:
    """A state (`pipeline.processor.state.PartitionStateView`) that notes what it is told."""

    def __init__(self) -> None:
        self.tracked_users = PlainTrackedUsers()
        self.catalogue = PlainCatalogue()
        self.state = State(self.tracked_users, self.catalogue)
        self.noted: list[tuple[str, bytes]] = []

    def remember(self, change: StateChange) -> None:
        if change.mark is not None:
            self.tracked_users.mark(change.mark)
        if change.learnt is not None:
            self.catalogue.known[change.learnt.id or ""] = change.learnt

    def dropped_delivery(self, user_key: bytes, timestamp_ms: int) -> None:
        assert timestamp_ms == STORED_AT
        self.noted.append(("dropped", user_key))

    def shadowed(self, rule: str, user_key: bytes, timestamp_ms: int) -> None:
        assert timestamp_ms == STORED_AT
        self.noted.append((rule, user_key))


def batch(*events: dict[str, Any] | None) -> UnsettledBatch:
    return UnsettledBatch(
        [
            FakeMessage(offset=offset, value=None if event is None else encode(event), timestamp=STORED_AT, key=b"u-1")
            for offset, event in enumerate(events)
        ]
    )


def event(action: str, user: str = "u-1", **message: Any) -> dict[str, Any]:
    return raw_event(f"message.push.{action}", external_id=user, message=message or None)


def sorted_by(state: PlainState, *events: dict[str, Any] | None) -> DecidedBatch:
    policy = Policy(records=SEGMENT, rules=parse_rules(RULES, filename="rules.yaml"))
    return decide_batch(batch(*events), policy, view=state)


def test_a_record_says_which_message_it_is_of_and_is_keyed_by_its_user() -> None:
    run = [
        FakeMessage(offset=offset, value=encode(event("clicked", user)), timestamp=STORED_AT, key=b"another")
        for offset, user in ((41, "u-1"), (47, "u-2"))
    ]
    records = decide_batch(UnsettledBatch(run), Policy(records=SEGMENT)).records
    assert [(each.key, each.timestamp_ms, each.headers) for each in records] == [
        (
            user,
            None,
            [
                ("format-version", b"1"),
                ("source-partition", b"0"),
                ("source-offset", offset),
                ("rules-version", Policy(records=SEGMENT).version.encode()),
            ],
        )
        for user, offset in ((b"u-1", b"41"), (b"u-2", b"47"))
    ]


def test_a_message_changes_what_the_next_ones_of_its_batch_meet() -> None:
    state = PlainState()
    found = sorted_by(state, event("sent"), event("clicked"), event("sent"), event("sent", "u-2"))
    assert [record.key for record in found.records] == [b"u-1", b"u-1"]
    assert [change.mark for change in found.changes if change.mark] == [
        PlainTrackedUsers().mark_of(b"u-1", STORED_AT, 1)
    ]


def test_rules_are_counted_by_their_names_and_users_noted_once_an_event() -> None:
    state = PlainState()
    found = sorted_by(state, event("clicked"), event("sent"), event("sent", "u-2"), event("received", "u-2"), None)
    tally = found.tally
    assert tally.kept_by == {"default": 1, "cheap": 1}
    assert tally.dropped_by == {"cheap": 2}
    assert tally.shadowed_by == {"shadow": 2}
    assert state.noted == [("shadow", b"u-1"), ("dropped", b"u-2"), ("shadow", b"u-2"), ("dropped", b"u-2")]
    assert sum(tally.dropped.values()) == 3


def test_what_a_dropped_event_says_is_learnt_and_fills_a_late_engagement() -> None:
    state = PlainState()
    blank = {"name": "", "title": "", "contents": ""}
    found = sorted_by(state, event("sent", "u-2"), event("clicked", **blank))
    learnt = found.changes[0].learnt
    assert isinstance(learnt, Content)
    assert learnt.name == "new-year"
    assert found.tally.filled == 1
    assert b'"message_name":"new-year"' in found.records[0].value  # type: ignore[operator]


def test_rules_of_the_same_name_are_counted_together() -> None:
    rules = """
    rules:
      - {name: one, when: {action: sent}, then: keep}
      - {name: one, when: {action: received}, then: keep}
      - {name: two, when: {action: clicked}, then: drop}
      - {name: two, when: {action: failed}, then: drop}
    """
    run = batch(event("sent"), event("received"), event("received"), event("clicked"), event("failed"))
    tally = decide_batch(run, Policy(records=SEGMENT, rules=parse_rules(rules, filename="rules.yaml"))).tally
    assert (tally.kept_by, tally.dropped_by) == ({"one": 3}, {"two": 2})
    assert sum(tally.forwarded.values()) == 3


@given(st.lists(st.lists(st.sampled_from(["clicked", "sent", "received", "nonsense", None]), min_size=1), min_size=1))
def test_the_tallies_of_batches_add_up_to_the_one_of_all_their_messages(kinds: list[list[str | None]]) -> None:
    policy = Policy(records=SEGMENT, rules=parse_rules(DROPPING, filename="rules.yaml"))
    runs = [[None if kind is None else event(kind) for kind in run] for run in kinds]
    parts = [decide_batch(batch(*run), policy).tally for run in runs]
    assert sum_of(parts) == decide_batch(batch(*(each for run in runs for each in run)), policy).tally


def test_nobody_is_noted_of_an_event_that_names_nobody() -> None:
    state = PlainState()
    nobody = raw_event("message.push.sent", external_id="", subscription_id="")
    dropping = parse_rules("rules: [{then: keep, shadow: true}, {then: drop}]", filename="rules.yaml")
    found = decide_batch(batch(nobody), Policy(records=SEGMENT, rules=dropping), view=state)
    assert found.tally.shadowed_by == {"rule 1": 1}
    assert state.noted == []
