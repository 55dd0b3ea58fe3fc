from __future__ import annotations

import json

from pipeline.core.destinations.segment.builders import SegmentRecords
from pipeline.core.destinations.segment.names import NameProfile
from pipeline.core.identity import identify
from pipeline.core.kinds import SPELLINGS
from pipeline.core.outcomes import RejectReason
from pipeline.core.policy import Policy, StateOptions, UnknownKinds
from pipeline.core.presets import Preset, preset_rules
from tests.builders import SEGMENT
from tests.unit.core.filtering import event


def test_every_spelling_has_a_plan() -> None:
    plans = Policy(records=SEGMENT).plans
    assert {spelling: plan.kind for spelling, plan in plans.items()} == dict(SPELLINGS)
    assert all(plan.refusal is None for plan in plans.values())


def test_unknown_kinds_follow_the_setting() -> None:
    assert Policy(records=SEGMENT).plan_for("message.fax.sent").refusal is RejectReason.UNKNOWN_KIND
    plan = Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER).plan_for("message.fax.sent")
    fax = event("message.fax.sent")
    record = plan.build_record(fax, identify(fax), "m-1", None, -1)
    assert isinstance(record, bytes)
    assert (plan.refusal, json.loads(record)["event"]) == (None, "Fax Sent")


def test_a_kind_without_a_name_is_never_delivered() -> None:
    assert (
        Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER).plan_for(" ").refusal is RejectReason.NOT_AN_EVENT
    )


def test_a_kind_that_holds_an_address_is_never_delivered() -> None:
    plan = Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER).plan_for("message.push.jo@mail.example")
    assert plan.refusal is RejectReason.UNKNOWN_KIND


def test_policies_of_one_meaning_are_equal_and_have_one_version() -> None:
    assert Policy(records=SEGMENT) == Policy(records=SEGMENT)
    unused = SegmentRecords(custom_names={"message.push.sent": "unused"})
    assert Policy(records=SEGMENT).version == Policy(records=unused).version


def test_whatever_decides_or_shapes_changes_the_version() -> None:
    others = [
        Policy(records=SEGMENT),
        Policy(records=SEGMENT, rules=preset_rules(Preset.ENGAGEMENT_ONLY)),
        Policy(records=SEGMENT, unknown_kinds=UnknownKinds.DELIVER),
        Policy(records=SegmentRecords(name_profile=NameProfile.SEGMENT_SPEC)),
        Policy(records=SegmentRecords(name_profile=NameProfile.CUSTOM, custom_names={"message.push.sent": "Sent"})),
        Policy(records=SEGMENT, state_options=StateOptions(month_start_day=15)),
        Policy(records=SEGMENT, state_options=StateOptions(tracked_users=True)),
        Policy(records=SEGMENT, state_options=StateOptions(catalogue_days=90)),
        Policy(records=SEGMENT, state_options=StateOptions(catalogue_days=30)),
    ]
    assert len({policy.version for policy in others}) == len(others)
