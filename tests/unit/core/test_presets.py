from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.kinds import KINDS, Action, Category
from pipeline.core.presets import Preset, preset_rules
from tests.builders import SEGMENT
from tests.unit.core.filtering import event, ruling

if TYPE_CHECKING:
    from pipeline.core.record_builders import RecordBuilders


def kept(preset: Preset, records: RecordBuilders = SEGMENT) -> set[str]:
    rules = preset_rules(preset)
    return {kind for kind in KINDS if ruling(rules, event(kind), records).decision.verdict == "keep"}


def test_keep_all_keeps_all() -> None:
    assert kept(Preset.KEEP_ALL) == set(KINDS)


def test_curb_sent_and_displayed_drops_those_on_every_channel() -> None:
    dropped = set(KINDS) - kept(Preset.CURB_SENT_AND_DISPLAYED)
    assert {KINDS[kind].action for kind in dropped} == {Action.SENT, Action.DISPLAYED, Action.PAGE_DISPLAYED}
    assert dropped == {
        "message.push.sent",
        "message.email.sent",
        "message.sms.sent",
        "message.live_activity.sent",
        "message.iam.impression",
        "message.iam.page_displayed",
    }


def test_engagement_only_drops_the_whole_delivery_category() -> None:
    assert kept(Preset.ENGAGEMENT_ONLY) == {n for n, kind in KINDS.items() if kind.category is Category.ENGAGEMENT}


def test_tracked_only_keeps_engagements_and_asks_of_deliveries_whether_their_user_is_tracked() -> None:
    rules = preset_rules(Preset.TRACKED_ONLY)
    asked = {kind for kind in KINDS if ruling(rules, event(kind)).decision.verdict == "tracked_only"}
    assert asked == {name for name, kind in KINDS.items() if kind.category is Category.DELIVERY}
    assert kept(Preset.TRACKED_ONLY) == set(KINDS) - asked
    assert rules.needs_tracked_users


def test_exempt_delivery_keeps_engagements_and_at_mixpanel_what_makes_no_mtu() -> None:
    dropped = set(KINDS) - kept(Preset.EXEMPT_DELIVERY, MixpanelRecords())
    assert dropped == {
        "message.push.failed",
        "message.iam.page_displayed",
        "message.email.failed",
        "message.sms.failed",
        "message.sms.undelivered",
        "message.live_activity.sent",
        "message.live_activity.delivered",
        "message.live_activity.failed",
    }
    renamed = MixpanelRecords(custom_names={"message.push.sent": "Push Sent"})
    assert set(KINDS) - kept(Preset.EXEMPT_DELIVERY, renamed) == dropped | {"message.push.sent"}


def test_at_segment_exempt_delivery_is_engagement_only() -> None:
    assert kept(Preset.EXEMPT_DELIVERY) == kept(Preset.ENGAGEMENT_ONLY)


def test_presets_have_versions_of_their_own_and_no_warnings() -> None:
    all_rules = [preset_rules(preset) for preset in Preset]
    assert len({rules.version for rules in all_rules}) == len(Preset)
    assert [rules.warnings for rules in all_rules] == [()] * len(Preset)
    assert [rules.filename for rules in all_rules] == [f"preset {preset}" for preset in Preset]
