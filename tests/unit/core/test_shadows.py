from __future__ import annotations

from pipeline.core.events import Event, decode
from pipeline.core.kinds import kind_of
from pipeline.core.outcomes import Deliver, Drop
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.core.rules_file import parse_rules
from tests.builders import SEGMENT, encode, raw_event, raw_message
from tests.unit.core.filtering import filters

RULES = """
rules:
  - {name: no sms, when: {channel: sms}, then: drop}
  - {when: {action: clicked}, then: drop, shadow: true}
  - {when: {language: en}, then: keep}
  - {when: {tag: {plan: premium}}, then: drop, shadow: true}
  - {then: drop, shadow: true}
default: drop
"""


def shadows(kind: str, language: str) -> tuple[int, ...]:
    policy = Policy(records=SEGMENT, rules=parse_rules(RULES, filename="rules.yaml"))
    found = process(raw_message(raw_event(kind, user={"language": language})), policy, STATELESS)
    assert isinstance(found, (Deliver, Drop))
    return found.shadows


def test_a_shadow_counts_where_it_would_have_decided_before_the_rule_that_did() -> None:
    assert shadows("message.push.clicked", "en") == (1,)
    assert shadows("message.push.sent", "en") == ()


def test_each_shadow_counts_as_if_it_were_alone() -> None:
    assert shadows("message.push.clicked", "de") == (1, 3, 4)


def test_a_shadow_behind_a_rule_that_decides_does_not_count() -> None:
    assert shadows("message.sms.sent", "de") == ()


def test_a_shadow_decides_nothing_and_takes_nothing_from_later_rules() -> None:
    text = "rules: [{then: drop, shadow: true}, {when: {action: sent}, then: keep}]\ndefault: drop"
    parsed = parse_rules(text, filename="rules.yaml")
    assert parsed.warnings == ()
    found = process(raw_message(raw_event("message.push.sent")), Policy(records=SEGMENT, rules=parsed), STATELESS)
    assert isinstance(found, Deliver)
    assert (found.rule, found.shadows) == (1, (0,))


def test_shadows_are_told_in_the_order_of_the_rules_whatever_they_are_found_by() -> None:
    text = """
rules:
  - {when: {language: en}, then: drop, shadow: true}
  - {when: {tag: {plan: premium}}, then: drop, shadow: true}
  - {when: {action: sent}, then: drop, shadow: true}
  - {when: {message_name: "hello*"}, then: drop, shadow: true}
  - {when: {language: en, tag: {plan: premium}}, then: drop, shadow: true}
"""
    event = raw_event(
        "message.push.sent", message={"name": "hello"}, user={"language": "en", "tags": {"plan": "premium"}}
    )
    found = process(
        raw_message(event), Policy(records=SEGMENT, rules=parse_rules(text, filename="rules.yaml")), STATELESS
    )
    assert isinstance(found, Deliver)
    assert found.shadows == (0, 1, 2, 3, 4)


def test_shadows_that_ask_for_other_values_are_not_even_tried() -> None:
    many = "".join(f"  - {{when: {{template_id: t-{number}}}, then: drop, shadow: true}}\n" for number in range(1_000))
    rules = parse_rules(f"rules:\n{many}", filename="rules.yaml")
    found = filters(rules).filter_for(kind_of("message.push.sent"), anonymous=False)
    event = decode(encode(raw_event("message.push.sent", message={"template_id": "t-7"})))
    assert isinstance(event, Event)
    assert [len(tuple(index(event))) for index in found.shadows] == [1]


def test_a_shadow_that_a_rule_before_it_leaves_nothing_to_is_reported() -> None:
    parsed = parse_rules("rules: [{then: drop}, {then: keep, shadow: true}]", filename="rules.yaml")
    assert [warning.message.split(" can never match")[0] for warning in parsed.warnings] == ["rule 2 (line 1)"]


def test_the_version_tells_a_shadow_from_a_rule() -> None:
    versions = {
        parse_rules(f"rules: [{{then: drop{shadow}}}]", filename="rules.yaml").version
        for shadow in ("", ", shadow: true", ", shadow: false")
    }
    assert len(versions) == 2


def test_rules_have_short_names() -> None:
    parsed = parse_rules(RULES, filename="rules.yaml")
    assert [parsed.label(index) for index in (0, 1, None)] == ["no sms", "rule 2", "default"]


def test_of_the_shadows_for_a_message_only_those_whose_other_conditions_hold_are_counted() -> None:
    rules = parse_rules(
        "rules:\n"
        "  - {when: {message_id: m-1, language: fr}, then: drop, shadow: true}\n"
        "  - {when: {message_id: m-1, language: en}, then: drop, shadow: true}\n",
        filename="rules.yaml",
    )
    asked = decode(encode(raw_event("message.push.sent", message={"id": "m-1"})))
    assert isinstance(asked, Event)
    found = filters(rules).filter_for(kind_of("message.push.sent"), anonymous=False)
    assert found.shadows_before(found.ruling(asked), asked) == (1,)
