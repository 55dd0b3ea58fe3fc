from __future__ import annotations

from pipeline.core.classification import MtuClass, mtu_class
from pipeline.core.destinations.mixpanel.mtu import MIXPANEL_MTU, MIXPANEL_MTU_BY_LIST
from pipeline.core.destinations.mixpanel.names import MIXPANEL_NAMES
from pipeline.core.kinds import KINDS, Category


def test_every_kind_has_a_name_in_mixpanel() -> None:
    assert set(MIXPANEL_NAMES) == set(KINDS)


def test_mixpanel_exempts_by_name_and_not_by_category() -> None:
    exempt = {name for name, kind in KINDS.items() if mtu_class(kind, MIXPANEL_MTU) is MtuClass.EXEMPT}
    assert exempt == {
        "message.push.sent",
        "message.push.received",
        "message.push.unsubscribed",
        "message.iam.impression",
        "message.email.sent",
        "message.email.received",
        "message.email.unsubscribed",
        "message.email.reported_as_spam",
        "message.email.bounced",
        "message.email.suppressed",
        "message.sms.sent",
        "message.sms.delivered",
    }
    assert any(KINDS[name].category is Category.ENGAGEMENT for name in exempt)


def test_by_mixpanels_list_opens_and_clicks_are_exempt_too() -> None:
    changed = {
        name for name, kind in KINDS.items() if mtu_class(kind, MIXPANEL_MTU) != mtu_class(kind, MIXPANEL_MTU_BY_LIST)
    }
    assert changed == {
        "message.push.clicked",
        "message.iam.clicked",
        "message.email.opened",
        "message.email.clicked",
    }
