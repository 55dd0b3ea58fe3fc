from __future__ import annotations

import pytest

from pipeline.core.rules_file import parse_rules


def warnings(text: str) -> list[str]:
    return [str(warning) for warning in parse_rules(text, filename="r.yaml").warnings]


def two(first: str, second: str) -> str:
    return f"rules:\n  - when: {{{first}}}\n    then: drop\n  - when: {{{second}}}\n    then: keep\n"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "action: sent"),
        ("action: sent", "action: sent, channel: push"),
        ("category: delivery", "action: [sent, received]"),
        ("channel: push", "kind: message.push.sent"),
        ("action: sent", "kind: message.push.sent, language: de"),
        ("template_id: [a, b]", "template_id: a, action: sent"),
        ("language: DE", "language: de"),
        ("message_name: 'promo-*'", "message_name: [promo-1, promo-2]"),
        ("message_name: ['a*', 'b*']", "message_name: ['b*', abc]"),
        ("tag: {plan: [free, trial]}", "tag: {plan: free, vip: true}"),
        ("anonymous: [true, false]", "anonymous: true"),
        ("mtu: [counted, exempt]", "mtu: exempt"),
        ("mtu: counted", "mtu: counted, kind: message.push.sent"),
    ],
)
def test_a_rule_that_an_earlier_one_covers_is_reported(first: str, second: str) -> None:
    assert warnings(two(first, second)) == [
        "r.yaml:4: rule 2 (line 4) can never match: rule 1 (line 2) matches all of its events first; "
        "move it up or delete it",
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("action: sent", "action: clicked"),
        ("action: sent, language: de", "action: sent"),
        ("template_id: a", "template_id: [a, b]"),
        ("template_id: a", "message_id: a"),
        ("message_name: 'promo-*'", "message_name: 'promo*'"),
        ("message_name: 'promo-?'", "message_name: 'promo-*'"),
        ("tag: {plan: free}", "tag: {vip: free}"),
        ("anonymous: true", "action: sent"),
        ("category: delivery", "channel: push"),
        ("mtu: counted", "mtu: exempt"),
        ("mtu: counted", "kind: message.push.sent"),
        ("mtu: exempt", "category: engagement"),
    ],
)
def test_a_rule_that_is_left_something_is_not_reported(first: str, second: str) -> None:
    assert warnings(two(first, second)) == []


def test_several_rules_may_take_all_of_a_later_one() -> None:
    text = """\
rules:
  - {name: half, when: {anonymous: true}, then: drop}
  - when: {anonymous: false}
    then: drop
  - when: {language: de}
    then: keep
"""
    assert warnings(text) == [
        "r.yaml:5: rule 3 (line 5) can never match: rule 1 `half` (line 2), rule 2 (line 3) match all of its "
        "events first; move it up or delete it",
    ]


@pytest.mark.parametrize(
    "conditions",
    [
        "channel: in_app, action: bounced",
        "kind: message.push.sent, category: engagement",
        "kind: message.push.sent, channel: sms",
        "channel: push, action: delivered",
    ],
)
def test_a_rule_whose_conditions_exclude_each_other_is_reported(conditions: str) -> None:
    assert warnings(f"rules:\n  - when: {{{conditions}}}\n    then: drop\n") == [
        "r.yaml:2: rule 1 (line 2) can never match: its conditions exclude each other; correct or delete it",
    ]


@pytest.mark.parametrize("conditions", ["channel: other", "action: other", "channel: sms, action: other"])
def test_a_rule_for_unknown_kinds_is_not_reported(conditions: str) -> None:
    assert warnings(f"rules:\n  - when: {{{conditions}}}\n    then: drop\n") == []


def test_a_rule_for_exempt_events_is_not_reported_because_destinations_share_the_file() -> None:
    assert warnings("rules:\n  - when: {mtu: exempt, category: engagement}\n    then: drop\n") == []


def test_a_rule_for_unknown_kinds_after_one_for_all_is_reported() -> None:
    assert len(warnings(two("", "channel: other"))) == 1


def test_of_a_thousand_rules_that_never_match_the_first_are_reported_and_the_others_counted() -> None:
    reported = warnings("rules:\n" + "- then: drop\n" * 1_000)
    assert len(reported) == 21
    assert reported[-2].startswith("r.yaml:22: rule 21 (line 22) can never match")
    assert reported[-1] == "r.yaml:23: 979 more rules can never match"
