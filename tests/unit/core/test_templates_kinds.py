"""Kinds in the spellings of OneSignal's samples and of other programs."""

from __future__ import annotations

from typing import Final

import pytest

from pipeline.core.kinds import ALIASES, KINDS, SPELLINGS, Category, kind_of
from pipeline.core.outcomes import Deliver, Reject, RejectReason
from pipeline.core.policy import Policy, UnknownKinds
from tests.body_forms import BodyForm, encoded, outcome_of, properties_of, record_of
from tests.builders import SEGMENT, raw_event

FOUND_NOW: Final = (
    ("message.live activity.clicked", "message.live_activity.clicked"),
    ("message.email.reported as spam", "message.email.reported_as_spam"),
    ("message_push_clicked", "message.push.clicked"),
    ("message. iam.clicked", "message.iam.clicked"),
    ("MESSAGE_PUSH_SENT", "message.push.sent"),
    ("message-email-hardbounced", "message.email.bounced"),
    ("messagePushClicked", "message.push.clicked"),
    ("message.iam.page displayed", "message.iam.page_displayed"),
    ("message.iam.pageDisplayed ", "message.iam.page_displayed"),
    ("Message.Live-Activity.Sent", "message.live_activity.sent"),
    ("message..push..received", "message.push.received"),
    ("message.push.\treceived\n", "message.push.received"),
    (" Message.Email.Respored As Spam", "message.email.reported_as_spam"),
)
UNKNOWN: Final = (
    "message.push.clickedx",
    "message/push/clicked",
    "message.push.clicked!",
    "push.clicked",
    "m\u00e9ssage.push.sent",
)
forms = pytest.mark.parametrize("form", BodyForm)
DELIVER: Final = Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER)


@forms
@pytest.mark.parametrize(("spelling", "name"), FOUND_NOW)
def test_a_kind_is_found_however_it_is_spelled(spelling: str, name: str, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(spelling), form), form)
    assert properties_of(found)["event_kind"] == name
    assert found.kind == KINDS[name]


@forms
@pytest.mark.parametrize("spelling", ["message.email.reported as spam", "message_email_reported_as_spam"])
def test_a_spam_report_is_an_act_of_a_person(spelling: str, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(spelling), form), form, DELIVER)
    assert record_of(found)["context"]["onesignal"]["category"] == Category.ENGAGEMENT
    assert record_of(found)["event"] == "Email Reported As Spam"


@forms
@pytest.mark.parametrize("spelling", UNKNOWN)
def test_other_characters_count(spelling: str, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(spelling), form), form)
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.UNKNOWN_KIND


@forms
@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("message.sms.opted_out", "message.sms.opted_out"),
        ("Message Fax-Sent", "message.fax_sent"),
        ("message.web push.clicked", "message.web.push.clicked"),
        (" message.SMS.opted out ", "message.sms.opted.out"),
    ],
)
def test_unknown_kinds_keep_their_names(spelling: str, name: str, form: BodyForm) -> None:
    found = outcome_of(encoded(raw_event(spelling), form), form, DELIVER)
    assert isinstance(found, Deliver)
    assert properties_of(found)["event_kind"] == name


def test_no_two_kinds_collide() -> None:
    def compared(spelling: str) -> str:
        return "".join(spelling.lower().replace(".", " ").replace("_", " ").replace("-", " ").split())

    by_plain_spelling: dict[str, set[str]] = {}
    for spelling, name in (*((name, name) for name in KINDS), *ALIASES.items()):
        by_plain_spelling.setdefault(compared(spelling), set()).add(name)
    assert [names for names in by_plain_spelling.values() if len(names) > 1] == []
    assert {kind_of(compared(spelling)) for spelling in SPELLINGS} == set(KINDS.values())
