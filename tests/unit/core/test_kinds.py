from __future__ import annotations

import pytest

from pipeline.core.kinds import ALIASES, CATEGORIES, KINDS, SPELLINGS, Action, Category, Channel, kind_of

# The kinds of schemas/SOURCES.md, "OneSignal event kinds", with unsubscribes and spam reports as acts of a person.
TABLE = [
    ("message.push.sent", Channel.PUSH, Action.SENT, Category.DELIVERY),
    ("message.push.received", Channel.PUSH, Action.RECEIVED, Category.DELIVERY),
    ("message.push.clicked", Channel.PUSH, Action.CLICKED, Category.ENGAGEMENT),
    ("message.push.failed", Channel.PUSH, Action.FAILED, Category.DELIVERY),
    ("message.push.unsubscribed", Channel.PUSH, Action.UNSUBSCRIBED, Category.ENGAGEMENT),
    ("message.iam.impression", Channel.IN_APP, Action.DISPLAYED, Category.DELIVERY),
    ("message.iam.clicked", Channel.IN_APP, Action.CLICKED, Category.ENGAGEMENT),
    ("message.iam.page_displayed", Channel.IN_APP, Action.PAGE_DISPLAYED, Category.DELIVERY),
    ("message.email.sent", Channel.EMAIL, Action.SENT, Category.DELIVERY),
    ("message.email.received", Channel.EMAIL, Action.RECEIVED, Category.DELIVERY),
    ("message.email.opened", Channel.EMAIL, Action.OPENED, Category.ENGAGEMENT),
    ("message.email.clicked", Channel.EMAIL, Action.CLICKED, Category.ENGAGEMENT),
    ("message.email.unsubscribed", Channel.EMAIL, Action.UNSUBSCRIBED, Category.ENGAGEMENT),
    ("message.email.reported_as_spam", Channel.EMAIL, Action.REPORTED_AS_SPAM, Category.ENGAGEMENT),
    ("message.email.bounced", Channel.EMAIL, Action.BOUNCED, Category.DELIVERY),
    ("message.email.failed", Channel.EMAIL, Action.FAILED, Category.DELIVERY),
    ("message.email.suppressed", Channel.EMAIL, Action.SUPPRESSED, Category.DELIVERY),
    ("message.sms.sent", Channel.SMS, Action.SENT, Category.DELIVERY),
    ("message.sms.delivered", Channel.SMS, Action.DELIVERED, Category.DELIVERY),
    ("message.sms.failed", Channel.SMS, Action.FAILED, Category.DELIVERY),
    ("message.sms.undelivered", Channel.SMS, Action.UNDELIVERED, Category.DELIVERY),
    ("message.live_activity.sent", Channel.LIVE_ACTIVITY, Action.SENT, Category.DELIVERY),
    ("message.live_activity.delivered", Channel.LIVE_ACTIVITY, Action.DELIVERED, Category.DELIVERY),
    ("message.live_activity.clicked", Channel.LIVE_ACTIVITY, Action.CLICKED, Category.ENGAGEMENT),
    ("message.live_activity.unsubscribed", Channel.LIVE_ACTIVITY, Action.UNSUBSCRIBED, Category.ENGAGEMENT),
    ("message.live_activity.failed", Channel.LIVE_ACTIVITY, Action.FAILED, Category.DELIVERY),
]


@pytest.mark.parametrize(("name", "channel", "action", "category"), TABLE)
def test_a_kind_has_its_channel_action_and_category(
    name: str,
    channel: Channel,
    action: Action,
    category: Category,
) -> None:
    kind = kind_of(name)
    assert (kind.name, kind.channel, kind.action, kind.category, kind.known) == (name, channel, action, category, True)


def test_the_table_has_every_kind() -> None:
    assert [row[0] for row in TABLE] == list(KINDS)


def test_every_action_has_a_category() -> None:
    assert set(CATEGORIES) == set(Action)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("message.push received", "message.push.received"),
        ("message.iam.displayed", "message.iam.impression"),
        ("message.iam.pagedisplayed", "message.iam.page_displayed"),
        ("message.email.resporedasspam", "message.email.reported_as_spam"),
        ("message.email.hardbounced", "message.email.bounced"),
        ("message.email.supressed", "message.email.suppressed"),
    ],
)
def test_an_older_or_misspelt_name_is_the_same_kind(alias: str, name: str) -> None:
    assert kind_of(alias) is KINDS[name]
    assert SPELLINGS[alias] is KINDS[name]
    assert alias in ALIASES


@pytest.mark.parametrize(
    "spelling", [" message.push.sent\n", "Message.Push.Sent", "message push sent", "MESSAGE.PUSH SENT"]
)
def test_letter_case_white_space_and_spaces_for_dots_do_not_matter(spelling: str) -> None:
    assert kind_of(spelling) is KINDS["message.push.sent"]


@pytest.mark.parametrize(
    ("spelling", "channel", "action", "category"),
    [
        ("message.sms.unsubscribed", Channel.SMS, Action.UNSUBSCRIBED, Category.ENGAGEMENT),
        ("message.live_activity.confirmed", Channel.LIVE_ACTIVITY, Action.OTHER, Category.DELIVERY),
        ("message.fax.clicked", Channel.OTHER, Action.CLICKED, Category.ENGAGEMENT),
        ("something", Channel.OTHER, Action.OTHER, Category.DELIVERY),
    ],
)
def test_an_unknown_kind_has_what_its_words_tell(
    spelling: str,
    channel: Channel,
    action: Action,
    category: Category,
) -> None:
    kind = kind_of(spelling)
    assert (kind.known, kind.name) == (False, spelling)
    assert (kind.channel, kind.action, kind.category) == (channel, action, category)


def test_the_name_of_an_unknown_kind_is_cut_at_a_hundred_characters() -> None:
    assert len(kind_of("message." + "x" * 5000).name) == 100
