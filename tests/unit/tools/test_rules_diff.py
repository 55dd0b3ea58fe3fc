from __future__ import annotations

import pytest

from pipeline.core.presets import Preset, preset_rules
from pipeline.core.rules_file import parse_rules
from pipeline.tools.rules_diff import differences


def _said(old: str, new: str) -> list[str]:
    return list(differences(parse_rules(old, filename="old.yaml"), parse_rules(new, filename="new.yaml")))


def test_rules_that_mean_the_same_decide_alike() -> None:
    assert _said("rules: []\n", "rules: []\ndefault: keep\n") == ["Both make the same decisions."]


def test_what_is_added_and_removed_is_told_with_its_effect() -> None:
    said = _said(
        "rules:\n  - {name: no clicks, when: {action: clicked, channel: push}, then: drop}\n",
        "rules:\n  - {when: {action: sent, channel: [push, sms]}, then: {sample: {percent: 10}}}\n",
    )
    assert said == [
        "removed: rule 1 `no clicks`: drop where action is clicked and channel is push",
        "added: rule 1: sample 10 % by user where action is sent and channel is push or sms",
        "",
        "Effect:",
        "  push.sent, sms.sent: keep becomes sample 10 % by user",
        "  push.clicked: drop becomes keep",
    ]


def test_a_rule_that_changes_is_known_by_its_name() -> None:
    said = _said(
        "rules:\n  - {name: a, when: {action: [sent, received], language: de}, then: drop}\n",
        "rules:\n  - {name: a, when: {action: [sent, opened], app_id: x}, then: keep, shadow: true}\n",
    )
    assert said[0] == (
        "changed: rule 1 `a`: drop becomes keep; is now a shadow rule and decides nothing; "
        "action: also opened, no longer received; also requires that app_id is x; "
        "no longer requires that language is de"
    )
    assert _said(
        "rules:\n  - {name: a, when: {action: sent}, then: keep, shadow: true}\n",
        "rules:\n  - {name: a, when: {action: sent}, then: keep}\n",
    ) == [
        "changed: rule 1 `a`: is no longer a shadow rule",
        "",
        "No effect: every event gets the same decision as before.",
    ]


def test_a_rule_without_a_name_is_known_by_its_conditions() -> None:
    said = _said(
        "rules:\n  - {when: {tag: {plan: beta}}, then: drop}\n",
        "rules:\n  - {when: {tag: {plan: beta}}, then: tracked_only}\n",
    )
    assert said[0] == "changed: rule 1: drop becomes tracked_only"


def test_a_rule_that_moves_is_told_once_and_the_others_are_not() -> None:
    rules = {
        "a": "  - {name: a, when: {action: sent}, then: drop}\n",
        "b": "  - {name: b, when: {channel: push}, then: keep}\n",
        "c": "  - {name: c, when: {channel: sms}, then: keep}\n",
    }
    said = _said("rules:\n" + rules["a"] + rules["b"] + rules["c"], "rules:\n" + rules["b"] + rules["c"] + rules["a"])
    assert said == [
        "changed: rule 3 `a`: moved from position 1 to 3",
        "",
        "Effect:",
        "  push.sent, sms.sent: drop becomes keep",
    ]


def test_a_new_name_alone_changes_nothing_in_effect() -> None:
    said = _said(
        "rules:\n  - {when: {action: sent}, then: drop}\n  - {name: x, when: {action: opened}, then: drop}\n",
        "rules:\n  - {name: sends, when: {action: sent}, then: drop}\n"
        "  - {name: y, when: {action: opened}, then: drop}\n",
    )
    assert said == ["Both make the same decisions."]


def test_a_rule_that_has_a_new_name_and_more_changes_says_both() -> None:
    said = _said(
        "rules:\n  - {name: x, when: {action: opened}, then: drop}\n  - {when: {action: sent}, then: drop}\n",
        "rules:\n  - {name: y, when: {action: opened}, then: keep}\n  - {name: z, when: {action: sent}, then: keep}\n",
    )
    assert said[:2] == [
        "changed: rule 1 `y`: was named `x`; drop becomes keep",
        "changed: rule 2 `z`: had no name; drop becomes keep",
    ]


def test_what_depends_on_more_than_the_kind_is_told_in_full() -> None:
    said = _said(
        "rules:\n  - {when: {action: opened}, then: drop}\n",
        "rules:\n  - {when: {action: opened, message_name: 'r-*', anonymous: false}, then: keep}\n"
        "  - {when: {action: opened}, then: drop}\n",
    )
    assert said[-3:] == [
        "  email.opened, identified:",
        "    before: drop",
        "    after: keep where message_name matches r-*; else drop",
    ]


def test_anonymous_events_are_told_apart() -> None:
    said = _said("rules: []\n", "rules:\n  - {when: {action: opened, anonymous: true}, then: drop}\n")
    assert said[-1] == "  email.opened, anonymous: keep becomes drop"


def test_the_default_is_told() -> None:
    said = _said("rules: []\n", "rules: []\ndefault: drop\n")
    assert said[0] == "default: keep becomes drop"
    assert "push.sent" in said[-1]


def test_a_rule_that_nothing_reaches_has_no_effect() -> None:
    said = _said(
        "rules:\n  - {when: {action: sent}, then: drop}\n",
        "rules:\n  - {when: {action: sent}, then: drop}\n"
        "  - {when: {kind: message.push.sent, language: de}, then: keep}\n",
    )
    assert said[-1] == "No effect: every event gets the same decision as before."


@pytest.mark.parametrize("preset", Preset)
def test_presets_can_be_compared(preset: Preset) -> None:
    said = list(differences(preset_rules(preset), preset_rules(Preset.ENGAGEMENT_ONLY)))
    assert (said == ["Both make the same decisions."]) == (preset is Preset.ENGAGEMENT_ONLY)


def test_a_change_for_one_mtu_class_is_told_with_the_class() -> None:
    said = _said("rules: []\n", "rules:\n  - {when: {kind: message.push.sent, mtu: counted}, then: drop}\n")
    assert said[0] == "added: rule 1: drop where kind is message.push.sent and mtu is counted"
    assert said[-2] == "  push.sent, counted: keep becomes drop"
    anonymous = _said(
        "rules: []\n", "rules:\n  - {when: {kind: message.push.sent, mtu: exempt, anonymous: true}, then: drop}\n"
    )
    assert anonymous[-2] == "  push.sent, anonymous, exempt: keep becomes drop"


def test_users_with_the_same_change_that_no_word_covers_are_listed() -> None:
    new = """\
rules:
  - {when: {kind: message.push.sent, mtu: exempt, anonymous: true}, then: keep}
  - {when: {kind: message.push.sent}, then: drop}
"""
    assert _said("rules: []\n", new)[-2] == (
        "  push.sent, identified counted, identified exempt, anonymous counted: keep becomes drop"
    )
