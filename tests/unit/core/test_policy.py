from __future__ import annotations

from pipeline.core.destinations.segment.names import NameProfile
from pipeline.core.kinds import SPELLINGS
from pipeline.core.outcomes import RejectReason
from pipeline.core.policy import Policy, Remembering, UnknownKinds
from pipeline.core.presets import Preset, preset_rules


def test_every_spelling_has_a_plan() -> None:
    plans = Policy().plans
    assert {spelling: plan.kind for spelling, plan in plans.items()} == dict(SPELLINGS)
    assert all(plan.refusal is None for plan in plans.values())


def test_unknown_kinds_follow_the_setting() -> None:
    assert Policy().plan_for("message.fax.sent").refusal is RejectReason.UNKNOWN_KIND
    plan = Policy(unknown_kinds=UnknownKinds.DELIVER).plan_for("message.fax.sent")
    assert (plan.refusal, plan.shape.event_name) == (None, "Fax Sent")


def test_a_kind_without_a_name_is_never_delivered() -> None:
    assert Policy(unknown_kinds=UnknownKinds.DELIVER).plan_for(" ").refusal is RejectReason.NOT_AN_EVENT


def test_a_kind_that_holds_an_address_is_never_delivered() -> None:
    plan = Policy(unknown_kinds=UnknownKinds.DELIVER).plan_for("message.push.jo@mail.example")
    assert plan.refusal is RejectReason.UNKNOWN_KIND


def test_policies_of_one_meaning_are_equal_and_have_one_version() -> None:
    assert Policy() == Policy()
    assert Policy().version == Policy(custom_names={"message.push.sent": "unused"}).version


def test_whatever_decides_or_shapes_changes_the_version() -> None:
    others = [
        Policy(),
        Policy(rules=preset_rules(Preset.ENGAGEMENT_ONLY)),
        Policy(unknown_kinds=UnknownKinds.DELIVER),
        Policy(name_profile=NameProfile.SEGMENT_SPEC),
        Policy(name_profile=NameProfile.CUSTOM, custom_names={"message.push.sent": "Sent"}),
        Policy(remembering=Remembering(month_start_day=15)),
        Policy(remembering=Remembering(tracked_users=True)),
        Policy(remembering=Remembering(catalogue_days=90)),
        Policy(remembering=Remembering(catalogue_days=30)),
    ]
    assert len({policy.version for policy in others}) == len(others)
