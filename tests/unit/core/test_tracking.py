from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.identity import AnonymousPolicy
from pipeline.core.kinds import KINDS
from pipeline.core.outcomes import Deliver, Drop, DropReason, Outcome, Reject, RejectReason, StateChange
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, State, process
from pipeline.core.rules_file import parse_rules
from pipeline.core.tracking import BEFORE_THE_LOG, Mark
from tests.builders import SEGMENT, STORED_AT, RawMessage, encode, raw_event
from tests.fakes.tracking import PlainTrackedUsers

SENT, CLICKED = "message.push.sent", "message.push.clicked"
TRACKED_ONLY = Policy(
    records=SEGMENT,
    rules=parse_rules("rules: [{when: {category: delivery}, then: tracked_only}]", filename="rules.yaml"),
)
DROPPED = Drop(KINDS[SENT], DropReason.NOT_TRACKED, 0, b"u-1001")


def outcome(
    kind: str, offset: int, tracked_users: PlainTrackedUsers, *, policy: Policy = TRACKED_ONLY, **event: Any
) -> Outcome:
    message = RawMessage(value=encode(raw_event(kind, **event)), offset=offset)
    return process(message, policy, State(tracked_users))


def mark(user: bytes, offset: int, timestamp_ms: int = STORED_AT) -> Mark:
    return PlainTrackedUsers().mark_of(user, timestamp_ms, offset)


def marked(at: int) -> PlainTrackedUsers:
    users = PlainTrackedUsers()
    users.mark(mark(b"u-1001", at))
    return users


def test_a_sent_event_of_a_user_who_was_not_tracked_is_dropped() -> None:
    assert outcome(SENT, 7, PlainTrackedUsers()) == DROPPED


@pytest.mark.parametrize("at", [BEFORE_THE_LOG, 0, 6])
def test_a_sent_event_of_a_user_whom_an_earlier_message_marked_is_kept(at: int) -> None:
    found = outcome(SENT, 7, marked(at))
    assert isinstance(found, Deliver)
    assert (found.rule, found.change) == (0, None)


@pytest.mark.parametrize("at", [7, 8, 70])
def test_a_mark_of_the_message_itself_or_of_a_later_one_does_not_count(at: int) -> None:
    assert outcome(SENT, 7, marked(at)) == DROPPED


def test_a_mark_of_another_month_does_not_count() -> None:
    users = PlainTrackedUsers()
    users.mark(mark(b"u-1001", 3, STORED_AT - 86_400_000))
    assert outcome(SENT, 7, users) == DROPPED


def test_a_kept_event_marks_its_user_once() -> None:
    first = outcome(CLICKED, 7, PlainTrackedUsers())
    assert isinstance(first, Deliver)
    assert first.change == StateChange(mark=mark(b"u-1001", 7))
    again, later, before = (outcome(CLICKED, 7, marked(at)) for at in (7, 5, 9))
    assert isinstance(again, Deliver)
    assert isinstance(later, Deliver)
    assert isinstance(before, Deliver)
    assert (again.change, later.change) == (None, None)
    assert before.change == StateChange(mark=mark(b"u-1001", 7)), "the earlier message is the first mark"


def test_what_is_dropped_or_rejected_marks_nobody() -> None:
    policy = Policy(records=SEGMENT, rules=parse_rules("rules: [{then: drop}]", filename="rules.yaml"))
    dropped = outcome(CLICKED, 7, PlainTrackedUsers(), policy=policy)
    assert isinstance(dropped, Drop)
    assert dropped.change is None
    assert outcome(CLICKED, 7, PlainTrackedUsers(), external_id="", subscription_id="") == Reject(
        KINDS[CLICKED], RejectReason.NO_USER
    )


def test_anonymous_users_are_tracked_by_their_subscription() -> None:
    found = outcome(CLICKED, 7, PlainTrackedUsers(), external_id="", subscription_id="s-1")
    assert isinstance(found, Deliver)
    assert found.change == StateChange(mark=mark(b"s-1", 7))
    users = PlainTrackedUsers()
    users.mark(mark(b"s-1", 3))
    assert isinstance(outcome(SENT, 7, users, external_id="", subscription_id="s-1"), Deliver)
    policy = Policy(records=SEGMENT, rules=TRACKED_ONLY.rules, anonymous_delivery=AnonymousPolicy.DROP)
    found = outcome(SENT, 7, users, policy=policy, external_id="", subscription_id="s-1")
    assert found == Drop(KINDS[SENT], DropReason.ANONYMOUS, 0, b"s-1")


def test_without_a_state_nobody_is_tracked() -> None:
    message = RawMessage(value=encode(raw_event(SENT)), offset=7)
    assert process(message, TRACKED_ONLY, STATELESS) == DROPPED
    kept = process(RawMessage(value=encode(raw_event(CLICKED))), TRACKED_ONLY, STATELESS)
    assert isinstance(kept, Deliver)
    assert kept.change is None


def test_rules_tell_whether_they_need_to_know_who_is_tracked() -> None:
    def needs(text: str) -> bool:
        return parse_rules(text, filename="rules.yaml").needs_tracked_users

    assert TRACKED_ONLY.rules.needs_tracked_users
    assert needs("rules: []\ndefault: tracked_only")
    assert not needs("rules: [{then: drop}]")
    assert not needs("rules: [{then: tracked_only, shadow: true}]")


@pytest.mark.parametrize("rules", ["rules: []", "rules: [{when: {category: delivery}, then: tracked_only}]"])
def test_only_a_kept_event_that_counts_marks_its_user(rules: str) -> None:
    """At Mixpanel push.sent is exempt by its name, and push.failed is not."""
    policy = Policy(records=MixpanelRecords(), rules=parse_rules(rules, filename="rules.yaml"))
    clicked = outcome(CLICKED, 7, PlainTrackedUsers(), policy=policy)
    assert isinstance(clicked, Deliver)
    assert clicked.change == StateChange(mark(b"u-1001", 7))
    sent = outcome(SENT, 7, marked(3), policy=policy)
    assert isinstance(sent, Deliver)
    assert sent.change is None


def test_an_exempt_event_of_a_new_user_makes_no_mark() -> None:
    kept = {
        kind: outcome(kind, 7, PlainTrackedUsers(), policy=Policy(records=MixpanelRecords()))
        for kind in (SENT, "message.push.failed")
    }
    changes = {kind: each.change for kind, each in kept.items() if isinstance(each, Deliver)}
    assert changes == {SENT: None, "message.push.failed": StateChange(mark(b"u-1001", 7))}
    at_segment = outcome(SENT, 7, PlainTrackedUsers(), policy=Policy(records=SEGMENT))
    assert isinstance(at_segment, Deliver)
    assert at_segment.change == StateChange(mark(b"u-1001", 7))
