from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.billing_month import BillingMonth
from pipeline.core.classification import Destination, MtuClass
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.events import decode
from pipeline.core.filters import FilterBook, Rules
from pipeline.core.identity import AnonymousPolicy
from pipeline.core.kinds import KINDS, Category
from pipeline.core.outcomes import Deliver, Drop, Outcome
from pipeline.core.policy import Policy, UnknownKinds
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.processing import State, process
from pipeline.state.message_catalogue import MessageCatalogue
from pipeline.tools.rules_diff import _effect_changes, differences
from pipeline.tools.what_if.accounts import Account
from pipeline.tools.what_if.counting import Count
from pipeline.tools.what_if.tally import RuleSet
from tests.builders import SEGMENT, RawMessage, encode
from tests.fakes.tracking import PlainTrackedUsers, month
from tests.properties.core_strategies import bodies, decisions, events, rule_lists, shapes

if TYPE_CHECKING:
    from pipeline.core.record_builders import RecordBuilders
    from pipeline.tools.what_if.findings import Findings

START = 1_769_000_000_000  # ten days before the end of January 2026
EVERYTHING = RuleSet(name="keep-all", rules=preset_rules(Preset.KEEP_ALL))
rules = st.builds(Rules, rules=rule_lists.map(tuple), default=decisions, filename=st.just("rules.yaml"))
MIXPANEL = MixpanelRecords()
policies = st.builds(
    Policy,
    records=st.sampled_from([SEGMENT, MIXPANEL]),
    unknown_kinds=st.sampled_from(UnknownKinds),
    anonymous_delivery=st.sampled_from(AnonymousPolicy),
    anonymous_engagement=st.sampled_from(AnonymousPolicy),
)


@st.composite
def histories(draw: st.DrawFn) -> list[RawMessage]:
    """Draw the messages of a partition over several weeks."""
    encoded = st.builds(encode, events(), shapes)
    found = draw(st.lists(encoded | bodies, max_size=15))
    hours = st.integers(0, 24 * 40)
    return [
        RawMessage(value=value, offset=offset, timestamp=START + draw(hours) * 3_600_000)
        for offset, value in enumerate(found)
    ]


class Processed(NamedTuple):
    """The outcomes of messages, the billed users of each month, and the users with any kept event."""

    outcomes: list[Outcome]
    billed: set[tuple[str, bytes]]
    seen: set[bytes]


def processed(history: list[RawMessage], policy: Policy) -> Processed:
    """Process each message alone."""
    tracked = PlainTrackedUsers()
    found = Processed([], set(), set())
    for message in history:
        outcome = process(message, policy, State(tracked_users=tracked))
        found.outcomes.append(outcome)
        if isinstance(outcome, Deliver):
            found.seen.add(outcome.user_key)
            if policy.records.mtu_class(outcome.kind) is MtuClass.COUNTED:
                found.billed.add((month(message.timestamp), outcome.user_key))
            if outcome.change is not None and outcome.change.mark is not None:
                tracked.mark(outcome.change.mark)
    return found


def account(policy: Policy, start_day: int = 1, *, remembers: bool = False) -> Account:
    """Return the account of the destination whose records the policy builds."""
    return Account(
        destination=Destination.MIXPANEL if policy.records == MIXPANEL else Destination.SEGMENT,
        policy=policy,
        billing_month=BillingMonth(start_day),
        catalogue=MessageCatalogue(days=90) if remembers else None,
    )


def counted(
    history: list[RawMessage], sets: list[RuleSet], accounts: list[Account], exact_users: int
) -> list[Findings]:
    count = Count(sets, sets[0], accounts=accounts, exact_users=exact_users)
    for message in history:
        count.count([message])
    return list(count.findings("a test"))


@given(histories(), rules, policies, st.sampled_from([0, 1, 1000]))
def test_each_set_of_rules_comes_to_what_processing_each_message_comes_to(
    history: list[RawMessage], chosen: Rules, policy: Policy, exact_users: int
) -> None:
    sets = [EVERYTHING, RuleSet(name="chosen", rules=chosen)]
    (findings,) = counted(history, sets, [account(policy)], exact_users)
    traffic = findings.traffic
    assert traffic.read == len(history)
    plainly = [processed(history, replace(policy, rules=rule_set.rules)) for rule_set in sets]
    for (outcomes, billed, seen), found in zip(plainly, findings.sets, strict=True):
        kinds = Counter(outcome.kind.name for outcome in outcomes if isinstance(outcome, Deliver))
        assert {kind: each.kept for kind, each in found.kinds.items() if each.kept} == kinds
        dropped = sum(isinstance(outcome, Drop) for outcome in outcomes)
        assert found.dropped + traffic.empty == dropped
        assert found.rejected + sum(traffic.unusable.values()) == len(history) - dropped - kinds.total()
        assert (
            found.kept + found.dropped + found.rejected + traffic.empty + sum(traffic.unusable.values()) == traffic.read
        )
        assert found.all_users.value == len(billed)
        assert sum(found.records.values()) == found.kept
        ends = [growth[-1][1].value for growth in found.growth.values() if growth]
        assert ends == [estimate.value for estimate in found.users.values() if estimate.value]
        assert found.never_seen.value == len(plainly[0].seen - seen)
        lost = Counter(
            before.kind.name
            for before, outcome in zip(plainly[0].outcomes, outcomes, strict=True)
            if isinstance(before, Deliver)
            and not isinstance(outcome, Deliver)
            and before.kind.category is Category.ENGAGEMENT
        )
        assert found.engagements_lost == lost
    assert sum(estimate.value for estimate in findings.reasons.values()) == findings.baseline.all_users.value


class Both(NamedTuple):
    """What the accounts of two destinations are made of; their catalogues must be new for each count."""

    segment: Policy
    mixpanel: Policy
    start_day: int
    remember: bool

    def accounts(self) -> list[Account]:
        segment, mixpanel = replace(self.segment, records=SEGMENT), replace(self.mixpanel, records=MIXPANEL)
        return [account(segment, self.start_day, remembers=self.remember), account(mixpanel, remembers=self.remember)]


@given(
    histories(),
    rules,
    st.builds(Both, policies, policies, st.integers(1, 28), st.booleans()),
    st.sampled_from([0, 1, 1000]),
)
def test_counting_both_destinations_in_one_pass_comes_to_what_counting_each_alone_comes_to(
    history: list[RawMessage], chosen: Rules, both: Both, exact_users: int
) -> None:
    sets = [EVERYTHING, RuleSet(name="chosen", rules=chosen)]
    together = counted(history, sets, both.accounts(), exact_users)
    alone = [found for each in both.accounts() for found in counted(history, sets, [each], exact_users)]
    # Both destinations' users count towards the number of exact ones; so few are estimated exactly.
    assert [_whatever_the_method(found) for found in together] == [_whatever_the_method(found) for found in alone]


def _whatever_the_method(findings: Findings) -> Findings:
    return replace(findings, traffic=replace(findings.traffic, is_exact=True))


@given(rules, rules, events(), st.sampled_from([SEGMENT, MixpanelRecords()]))
def test_what_is_not_said_to_change_is_decided_alike(
    old: Rules, new: Rules, event: Any, records: RecordBuilders
) -> None:
    decoded = decode(encode(event))
    said = "\n".join(_effect_changes(old, new))
    books = FilterBook(old, records.mtu_class), FilterBook(new, records.mtu_class)
    for name, kind in KINDS.items():
        for anonymous in (False, True):
            before, after = (book.filter_for(kind, anonymous=anonymous).ruling(decoded).decision for book in books)  # type: ignore[arg-type]
            if before != after:
                assert name.removeprefix("message.") in said


@given(rules, rules)
def test_a_difference_can_be_described_for_any_rules(old: Rules, new: Rules) -> None:
    assert list(differences(old, old)) == ["Both make the same decisions."]
    assert (list(differences(old, new)) == ["Both make the same decisions."]) == (old.version == new.version)
