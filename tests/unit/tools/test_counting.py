from __future__ import annotations

from datetime import date

import pytest

from pipeline.core.billing_month import MILLISECONDS_A_DAY
from pipeline.core.classification import Destination
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.identity import AnonymousPolicy
from pipeline.core.kinds import Action
from pipeline.core.outcomes import RejectReason
from pipeline.core.policy import Policy
from pipeline.state.message_catalogue import MessageCatalogue
from pipeline.tools.what_if.accounts import BILLS
from pipeline.tools.what_if.crowds import counted
from pipeline.tools.what_if.findings import KindCount, RuleSetFindings
from pipeline.tools.what_if.groups import BITS, GROUPS, MEANINGS, Group, groups_of
from pipeline.tools.what_if.words import day
from tests.builders import RawMessage, encode, raw_event
from tests.unit.tools.traffic import (
    ENGAGEMENT,
    EVERYTHING,
    EXEMPT,
    account,
    all_findings_of,
    findings_of,
    happened,
    rule_set,
)

SENT, RECEIVED, CLICKED = "message.push.sent", "message.push.received", "message.push.clicked"
TRAFFIC = [
    happened("u-1", SENT),
    happened("u-1", RECEIVED),
    happened("u-1", CLICKED),
    happened("u-2", SENT),
    happened("u-2", RECEIVED),
    happened("u-3", SENT),
]
TRACKED = rule_set("rules:\n  - {when: {category: delivery}, then: tracked_only}\n")


def _users(found: RuleSetFindings) -> list[int]:
    return [estimate.value for estimate in found.users.values()]


def test_events_are_counted_by_kind_and_users_once() -> None:
    findings = findings_of(TRAFFIC, EVERYTHING, ENGAGEMENT)
    everything, engagement = findings.sets
    assert everything.kinds == {SENT: KindCount(kept=3), RECEIVED: KindCount(kept=2), CLICKED: KindCount(kept=1)}
    assert engagement.kinds[SENT] == KindCount(dropped=3)
    assert (_users(everything), _users(engagement)) == ([3], [1])
    assert (findings.saved(engagement), engagement.never_seen) == (2, counted(2))
    assert engagement.engagements_lost == {}


def test_engagements_that_the_baseline_keeps_are_lost_by_kind() -> None:
    lossy = rule_set("rules:\n  - {when: {action: clicked}, then: drop}\n")
    findings = findings_of([*TRAFFIC, happened("u-3", CLICKED)], EVERYTHING, lossy)
    assert findings.sets[1].engagements_lost == {CLICKED: 2}


def test_late_engagements_are_told_what_earlier_events_said_where_the_processor_would_be() -> None:
    by_name = rule_set("rules:\n  - {when: {message_name: welcome}, then: keep}\ndefault: drop\n")
    said, blank = {"id": "m-1", "name": "welcome"}, {"id": "m-1", "name": "", "title": "", "contents": ""}
    traffic = [happened("u-1", SENT, message=said), happened("u-2", CLICKED, message=blank)]
    forgetful = findings_of(traffic, EVERYTHING, by_name)
    assert forgetful.sets[1].engagements_lost == {CLICKED: 1}
    ahead = [traffic[0], happened("u-3", SENT, "2400-01-01T00:00", message={"id": "m-2", "name": "other"}), traffic[1]]
    for sets in ([EVERYTHING, by_name], [by_name, EVERYTHING]):
        for messages in (traffic, ahead):
            now_ms = traffic[0].timestamp + MILLISECONDS_A_DAY
            found = findings_of(messages, *sets, catalogue=MessageCatalogue(days=90), now_ms=now_ms).sets
            assert [each.kinds[CLICKED] for each in found] == [KindCount(kept=1)] * 2


def test_what_the_baseline_drops_too_is_not_lost_by_anyone() -> None:
    lossy = rule_set("rules:\n  - {when: {action: clicked}, then: drop}\n")
    findings = findings_of(TRAFFIC, lossy, EVERYTHING, rule_set("rules: []\ndefault: drop\n", "nothing.yaml"))
    assert [found.engagements_lost for found in findings.sets] == [{}, {}, {}]


def test_a_sent_event_is_kept_for_a_user_who_was_tracked_before_and_costs_nothing() -> None:
    findings = findings_of([*TRAFFIC, happened("u-1", SENT), happened("u-2", SENT)], EVERYTHING, TRACKED)
    tracked = findings.sets[1]
    assert tracked.kinds[SENT] == KindCount(kept=1, dropped=4)
    assert _users(tracked) == [1]
    assert findings.tracks


def test_who_was_tracked_is_forgotten_when_the_month_ends() -> None:
    later = [happened("u-1", SENT, "2026-02-01T00:00"), happened("u-1", CLICKED, "2026-02-01T00:01")]
    findings = findings_of([*TRAFFIC, *later, happened("u-1", SENT, "2026-02-02T00:00")], EVERYTHING, TRACKED)
    assert findings.sets[1].kinds[SENT] == KindCount(kept=1, dropped=4)
    assert _users(findings.sets[1]) == [1, 1]


def test_users_are_counted_once_in_each_billing_month() -> None:
    messages = [happened("u-1", SENT, at) for at in ("2026-01-14T23:59", "2026-01-15T00:00", "2026-01-31T12:00")]
    findings = findings_of(messages, EVERYTHING, start_day=15)
    assert [str(day(month.first_day)) for month in findings.months] == ["2025-12-15", "2026-01-15"]
    assert _users(findings.baseline) == [1, 1]
    assert findings.baseline.all_users == counted(2)


def test_a_month_of_which_days_are_missing_is_partial() -> None:
    ends = ["2026-01-01T00:00", "2026-02-27T23:59"]
    findings = findings_of([happened("u-1", SENT, at) for at in ends], EVERYTHING)
    january, february = findings.months
    assert not january.is_partial
    assert february.is_partial
    assert day(february.covered_to) == date(2026, 2, 27)
    assert day(february.last_day) == date(2026, 2, 28)


def test_users_add_up_by_day_whatever_the_order_of_the_messages() -> None:
    days = [("u-1", "2026-01-07"), ("u-2", "2026-01-05"), ("u-1", "2026-01-05"), ("u-3", "2026-01-07")]
    findings = findings_of([happened(user, SENT, f"{at}T08:00") for user, at in days], EVERYTHING)
    (growth,) = findings.baseline.growth.values()
    assert [(str(day(each)), estimate.value) for each, estimate in growth] == [("2026-01-05", 2), ("2026-01-07", 3)]


def test_what_no_rules_can_change_is_counted_apart() -> None:
    odd = [RawMessage(value=None), RawMessage(value=b"nonsense"), RawMessage(value=b"\xff")]
    findings = findings_of([*odd, *TRAFFIC], EVERYTHING, ENGAGEMENT)
    assert (findings.traffic.read, findings.traffic.empty) == (9, 1)
    assert findings.traffic.unusable == {RejectReason.NOT_JSON: 1, RejectReason.NOT_UTF8: 1}


def test_a_message_without_a_time_has_the_time_of_its_event() -> None:
    message = RawMessage(value=encode(raw_event(SENT, datetime="2025-11-30T12:00:00.000Z")), timestamp=-1)
    (month,) = findings_of([message], EVERYTHING).months
    assert day(month.first_day) == date(2025, 11, 1)


def test_events_without_any_time_are_kept_and_in_no_month() -> None:
    timeless = RawMessage(value=encode(raw_event(SENT, datetime="", timestamp=None)), timestamp=-1)
    findings = findings_of([timeless], EVERYTHING, TRACKED)
    assert findings.baseline.undated == findings.baseline.kept == 1
    assert (findings.months, findings.traffic.first_ms, findings.baseline.all_users) == ((), None, counted(0))
    assert findings.sets[1].dropped == 1


def test_a_record_that_would_be_too_large_is_rejected_as_the_processor_rejects_it() -> None:
    huge = RawMessage(value=encode(raw_event(CLICKED, message={"name": "x" * 40_000})))
    large = RawMessage(value=encode(raw_event(CLICKED, message={"contents": "x" * 40_000})))
    findings = findings_of([huge, large], EVERYTHING)
    assert findings.baseline.kinds == {CLICKED: KindCount(kept=1, rejected=1)}
    assert _users(findings.baseline) == [1]


def test_users_are_told_apart_by_the_groups_that_touch_them() -> None:
    findings = findings_of([*TRAFFIC, happened("u-3", SENT, "2026-02-01T00:00")], EVERYTHING)
    named = {groups_of(bits): estimate.value for bits, estimate in findings.reasons.items()}
    assert named == {
        (Group.SENT, Group.RECEIVED, Group.ENGAGED): 1,
        (Group.SENT, Group.RECEIVED): 1,
        (Group.SENT,): 2,
    }


def test_every_action_has_a_group_and_every_group_a_bit_and_a_meaning() -> None:
    assert GROUPS.keys() == set(Action)
    assert BITS.keys() == MEANINGS.keys() == set(Group)
    assert sum(BITS.values()) < 256


@pytest.mark.parametrize("exact_users", [0, 2, 5])
def test_beyond_the_stated_number_users_are_estimated_and_everything_else_is_the_same(exact_users: int) -> None:
    more = [happened("u-1", SENT), happened("u-4", CLICKED), happened("u-4", SENT)]
    exact = findings_of([*TRAFFIC, *more], EVERYTHING, ENGAGEMENT, TRACKED)
    count_twice = findings_of([*TRAFFIC, *more], EVERYTHING, ENGAGEMENT, TRACKED, exact_users=exact_users)
    assert exact.traffic.is_exact
    assert count_twice.traffic.is_exact == (exact_users >= 4)
    assert [found.kinds for found in count_twice.sets] == [found.kinds for found in exact.sets]
    assert [_users(found) for found in count_twice.sets] == [_users(found) for found in exact.sets]
    assert count_twice.reasons == exact.reasons


FAILED = "message.push.failed"


def test_only_events_that_a_destination_bills_make_billed_users() -> None:
    segment, mixpanel = all_findings_of([*TRAFFIC, happened("u-2", FAILED)], EVERYTHING, ENGAGEMENT, EXEMPT)
    assert [found.kept for found in segment.sets] == [7, 1, 1]
    assert [found.kept for found in mixpanel.sets] == [7, 1, 6]
    assert [_users(found) for found in segment.sets] == [[3], [1], [1]]
    assert [_users(found) for found in mixpanel.sets] == [[2], [1], [1]]
    assert [found.never_seen.value for found in mixpanel.sets] == [0, 2, 0]
    assert [mixpanel.exempt(found) for found in mixpanel.sets] == [5, 0, 5]
    assert [segment.exempt(found) for found in segment.sets] == [0, 0, 0]
    assert mixpanel.exempt_kinds == {SENT, RECEIVED}
    named = {groups_of(bits): estimate.value for bits, estimate in mixpanel.reasons.items()}
    assert named == {(Group.ENGAGED,): 1, (Group.NOT_DELIVERED,): 1}


def test_a_user_of_exempt_events_is_not_tracked() -> None:
    later = rule_set("rules:\n  - {when: {action: sent}, then: keep}\ndefault: tracked_only\n")
    traffic = [happened("u-1", SENT), happened("u-1", CLICKED)]
    segment, mixpanel = all_findings_of(traffic, EVERYTHING, later)
    assert segment.sets[1].kinds == {SENT: KindCount(kept=1), CLICKED: KindCount(kept=1)}
    assert mixpanel.sets[1].kinds == {SENT: KindCount(kept=1), CLICKED: KindCount(dropped=1)}


def test_each_destination_has_its_own_policy_and_month() -> None:
    nameless = happened("", CLICKED, "2026-01-20T10:00")
    dropping = Policy(records=MixpanelRecords(), anonymous_engagement=AnonymousPolicy.DROP)
    accounts = [account(Destination.SEGMENT, start_day=15), account(Destination.MIXPANEL, dropping)]
    segment, mixpanel = all_findings_of([*TRAFFIC, nameless], EVERYTHING, accounts=accounts)
    assert segment.baseline.kinds[CLICKED] == KindCount(kept=2)
    assert mixpanel.baseline.kinds[CLICKED] == KindCount(kept=1, dropped=1)
    assert [str(day(month.first_day)) for month in segment.months] == ["2025-12-15", "2026-01-15"]
    assert list(segment.baseline.records.values()) == [6, 1]
    assert [str(day(month.first_day)) for month in mixpanel.months] == ["2026-01-01"]
    assert list(mixpanel.baseline.records.values()) == [6]


def test_what_mixpanel_cannot_use_is_rejected_there_alone() -> None:
    odd = [
        happened("u" * 256, CLICKED),
        RawMessage(value=encode(raw_event(CLICKED, datetime="", timestamp=None)), timestamp=-1),
        RawMessage(value=encode(raw_event(CLICKED, datetime="1970-06-01T00:00:00Z", timestamp=None)), timestamp=-1),
    ]
    segment, mixpanel = all_findings_of(odd, EVERYTHING)
    assert segment.baseline.kinds == {CLICKED: KindCount(kept=3)}
    assert mixpanel.baseline.kinds == {CLICKED: KindCount(rejected=3)}


def test_every_destination_has_a_bill() -> None:
    assert BILLS.keys() == set(Destination)


def test_seen_and_billed_users_are_estimated_apart() -> None:
    exact = all_findings_of(TRAFFIC, EVERYTHING, ENGAGEMENT, TRACKED)
    estimated = all_findings_of(TRAFFIC, EVERYTHING, ENGAGEMENT, TRACKED, exact_users=0)
    assert [found.sets for found in estimated] == [found.sets for found in exact]
