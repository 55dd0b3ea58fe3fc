from __future__ import annotations

import pytest

from pipeline.core.content import EventContent
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.destinations.mixpanel.mtu import MtuReading
from pipeline.core.events import Event, Facts, Person
from pipeline.core.filters import in_sample
from pipeline.core.kinds import KINDS, kind_of
from pipeline.core.rules import DROP, KEEP, Condition, Decision, SampleBy, Verdict
from pipeline.core.rules_file import parse_rules
from tests.unit.core.filtering import asks, event, filters, rule, rules, ruling


def test_the_first_rule_that_matches_decides() -> None:
    written = rules(
        rule(KEEP, asks(Condition.MESSAGE_ID, "m-2")),
        rule(DROP, asks(Condition.MESSAGE_NAME, "promo*")),
        rule(KEEP, asks(Condition.ACTION, "clicked")),
        rule(DROP, asks(Condition.APP_ID, "a")),
        default=DROP,
    )
    assert ruling(written, event(message={"id": "m-2", "name": "promo"})).rule == 0
    assert ruling(written, event(message={"id": "m-1", "name": "promo"})).rule == 1
    assert ruling(written, event(app_id="a")).rule == 2
    assert ruling(written, event("message.push.sent", app_id="a")).rule == 3


def test_the_default_decides_where_no_rule_matches() -> None:
    found = ruling(rules(rule(KEEP, asks(Condition.CHANNEL, "sms")), default=DROP), event())
    assert (found.rule, found.decision) == (None, DROP)


CONDITIONS = [
    ("kind: message.push.clicked", "kind: message.push.sent"),
    ("kind: [message.push.sent, message.push.clicked]", "kind: [message.sms.sent]"),
    ("channel: push", "channel: in_app"),
    ("action: [opened, clicked]", "action: sent"),
    ("category: engagement", "category: delivery"),
    ("anonymous: false", "anonymous: true"),
    ("anonymous: [false, true]", "anonymous: [true]"),
    ("app_id: 7d1c3c52-7a7d-4a30-8f0c-8b4f4b9f6a11", "app_id: other"),
    ("template_id: [t-1, t-2]", "template_id: t-9"),
    ("message_id: m-1", "message_id: [m-2, m-3]"),
    ("message_name: 'new-*'", "message_name: 'New-*'"),
    ("message_name: ['x', 'new-yea?']", "message_name: 'new-yea'"),
    ("message_name: '[nN]ew*'", "message_name: '[!n]ew*'"),
    ("device_type: [android, ios]", "device_type: chrome"),
    ("language: EN", "language: [de, no]"),
    ("tag: {plan: premium}", "tag: {plan: free}"),
    ("tag: {plan: [free, premium], level: 5, vip: true, rate: 1.5}", "tag: {plan: premium, level: 6}"),
    ("tag: {level: '5'}", "tag: {missing: premium}"),
]


@pytest.mark.parametrize("other", ["", "app_id: 7d1c3c52-7a7d-4a30-8f0c-8b4f4b9f6a11, ", "message_id: m-1, "])
@pytest.mark.parametrize(("holds", "fails"), CONDITIONS)
def test_a_condition_holds_or_not(holds: str, fails: str, other: str) -> None:
    asked = event(
        message={"id": "m-1", "template_id": "t-1"},
        user={"tags": {"plan": "premium", "level": 5, "vip": True, "rate": 1.5}},
    )
    for condition, expected in ((holds, 0), (fails, None)):
        if other and condition.startswith(other.split(":", maxsplit=1)[0]):
            continue
        text = f"rules:\n  - when: {{{other}{condition}}}\n    then: drop\n"
        assert ruling(parse_rules(text, filename="rules.yaml"), asked).rule == expected


ASKING = [
    "template_id: t",
    "message_id: m",
    "message_name: '*'",
    "language: en",
    "device_type: ios",
    "tag: {plan: free}",
]


@pytest.mark.parametrize("condition", ASKING)
@pytest.mark.parametrize("other", ["app_id: a", "message_id: m-1"])
@pytest.mark.parametrize("message", [None, EventContent(id="m-1")], ids=["no message", "an empty message"])
@pytest.mark.parametrize("user", [None, Person()], ids=["no user", "an empty user"])
def test_a_condition_on_what_an_event_has_not_fails(
    condition: str,
    other: str,
    message: EventContent | None,
    user: Person | None,
) -> None:
    asked = Event(event=Facts(kind="message.push.sent", app_id="a", external_id="u"), message=message, user=user)
    for conditions in (condition, f"{condition}, {other}"):
        if conditions.count("message_id") <= 1:
            written = parse_rules(f"rules:\n  - when: {{{conditions}}}\n    then: drop\n", filename="rules.yaml")
            assert ruling(written, asked).rule is None


@pytest.mark.parametrize("name", ["", " ", None])
def test_no_pattern_matches_a_blank_name(name: str | None) -> None:
    written = parse_rules("rules:\n  - when: {message_name: '*'}\n    then: drop\n", filename="rules.yaml")
    assert ruling(written, event(message={"name": name})).rule is None


def test_a_long_name_is_matched_without_being_remembered() -> None:
    written = parse_rules("rules:\n  - when: {message_name: '*y'}\n    then: drop\n", filename="rules.yaml")
    assert ruling(written, event(message={"name": "x" * 300 + "y"})).rule == 0
    assert ruling(written, event(message={"name": "y" * 300 + "x"})).rule is None


def test_kinds_that_meet_the_same_rules_share_a_filter() -> None:
    book = filters(rules(rule(DROP, asks(Condition.CHANNEL, "push"), asks(Condition.MESSAGE_ID, "m"))))
    found = {id(book.filter_for(kind, anonymous=False)) for kind in KINDS.values()}
    assert len(found) == 2


def test_rules_after_one_that_takes_all_are_not_compiled() -> None:
    book = filters(rules(rule(DROP), rule(KEEP, asks(Condition.MESSAGE_ID, "m"))))
    compiled = book.filter_for(KINDS["message.sms.sent"], anonymous=True)
    assert (compiled.indexes, compiled.otherwise.rule) == ((), 0)


def test_an_unknown_kind_meets_rules_by_what_its_words_tell() -> None:
    written = rules(
        rule(DROP, asks(Condition.KIND, "message.sms.sent")),
        rule(DROP, asks(Condition.CHANNEL, "sms"), asks(Condition.ACTION, "unsubscribed")),
        rule(DROP, asks(Condition.ACTION, "other")),
    )
    book = filters(written)
    for spelling, expected in (("message.sms.unsubscribed", 1), ("message.fax.burnt", 2), ("message.fax.sent", None)):
        assert book.filter_for(kind_of(spelling), anonymous=False).ruling(event()).rule == expected


def sample(percent: float, by: SampleBy = SampleBy.USER) -> Decision:
    return Decision(Verdict.SAMPLE, percent, by)


def test_a_sample_is_of_users_or_of_events() -> None:
    users = [f"u-{number}" for number in range(400)]
    by_user = {
        (user, event_id) for user in users for event_id in "ab" if in_sample(sample(50), user.encode(), event_id)
    }
    assert {user for user, event_id in by_user if event_id == "a"} == {
        user for user, event_id in by_user if event_id == "b"
    }
    by_event = [in_sample(sample(50, SampleBy.EVENT), b"u", user) for user in users]
    assert 150 < sum(by_event) < 250


def test_a_sample_never_changes() -> None:
    kept = [number for number in range(60) if in_sample(sample(10), b"u-%d" % number, "")]
    assert kept == [0, 3, 6, 13, 16, 21, 22, 24, 40]


def test_who_is_in_a_small_sample_is_in_a_larger_one() -> None:
    keys = [b"u-%d" % number for number in range(2000)]
    small, large = ({key for key in keys if in_sample(sample(percent), key, "")} for percent in (10, 30))
    assert small < large


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (100, 1000)])
def test_nothing_and_everything_are_samples_too(percent: float, expected: int) -> None:
    assert sum(in_sample(sample(percent), b"u-%d" % number, "") for number in range(1000)) == expected


def test_the_version_is_of_the_meaning_and_not_of_the_text() -> None:
    one = "rules:\n  - name: a\n    when: {action: [sent, clicked], language: DE}\n    then: drop\n"
    same = "# why\ndefault: keep\nrules:\n- when:\n    language: de\n    action: [clicked, sent]\n  then: drop\n"
    versions = {parse_rules(text, filename=name).version for text, name in ((one, "a.yaml"), (same, "b.yaml"))}
    assert len(versions) == 1
    others = [
        one.replace("drop", "keep"),
        one.replace("DE", "en"),
        one + "default: drop\n",
        one.replace("drop", "{sample: {percent: 5}}"),
        one.replace("drop", "{sample: {percent: 6}}"),
        one.replace("drop", "{sample: {percent: 5, by: event}}"),
        one.replace("language", "device_type"),
        one.replace("language: DE", "tag: {language: de}"),
    ]
    assert len({parse_rules(text, filename="a.yaml").version for text in others} | versions) == len(others) + 1


def test_the_version_does_not_change_between_releases() -> None:
    text = "rules:\n  - when: {action: sent, tag: {plan: free}}\n    then: {sample: {percent: 12.5}}\n"
    assert parse_rules(text, filename="a.yaml").version == "045d62abbd71"


def test_a_rule_can_ask_whether_an_event_makes_an_mtu() -> None:
    written = rules(rule(DROP, asks(Condition.MTU, "exempt")), rule(KEEP, asks(Condition.MTU, "counted")))
    sent, clicked = event("message.push.sent"), event("message.push.clicked")
    assert [ruling(written, asked).rule for asked in (sent, clicked)] == [1, 1]
    assert [ruling(written, asked, MixpanelRecords()).rule for asked in (sent, clicked)] == [0, 1]
    by_list = MixpanelRecords(mtu_reading=MtuReading.LIST)
    assert [ruling(written, asked, by_list).rule for asked in (sent, clicked)] == [0, 0]
