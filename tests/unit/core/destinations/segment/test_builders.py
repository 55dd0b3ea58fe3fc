from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.core.destinations.mixpanel.mtu import MIXPANEL_MTU_BY_LIST
from pipeline.core.destinations.segment.builders import SegmentRecords
from pipeline.core.destinations.segment.mtu import SEGMENT_MTU, STATED_MTU_RULES
from pipeline.core.destinations.segment.names import NameProfile
from pipeline.core.identity import identify
from pipeline.core.kinds import kind_of
from tests.unit.core.filtering import event

if TYPE_CHECKING:
    from pipeline.core.classification import MtuRules


def mtu_of(kind: str, *rules: MtuRules) -> object:
    clicked = event(kind)
    record = SegmentRecords(mtu_rules=rules).builder_of(kind_of(kind))(clicked, identify(clicked), "m-1", None, -1)
    return json.loads(record or b"")["context"]["onesignal"]["mtu"]


def test_a_record_states_the_class_of_its_kind_for_each_rule_set() -> None:
    assert mtu_of("message.push.clicked", *STATED_MTU_RULES) == {"segment": "counted", "mixpanel": "counted"}
    assert mtu_of("message.push.clicked", MIXPANEL_MTU_BY_LIST) == {"mixpanel": "exempt"}
    assert mtu_of("message.push.sent", SEGMENT_MTU) == {"segment": "counted"}


@pytest.mark.parametrize(
    "other",
    [
        SegmentRecords(name_profile=NameProfile.SEGMENT_SPEC),
        SegmentRecords(name_profile=NameProfile.CUSTOM, custom_names={"message.push.sent": "Sent"}),
        SegmentRecords(mtu_rules=(SEGMENT_MTU, MIXPANEL_MTU_BY_LIST)),
        SegmentRecords(mtu_rules=(SEGMENT_MTU,)),
    ],
    ids=["profile", "custom names", "other rules", "fewer rules"],
)
def test_whatever_changes_records_changes_their_shaping(other: SegmentRecords) -> None:
    assert other.shaping != SegmentRecords().shaping
    assert other != SegmentRecords()


def test_builders_of_the_same_choices_are_equal() -> None:
    assert SegmentRecords() == SegmentRecords()
    assert SegmentRecords().shaping == SegmentRecords(custom_names={"message.push.sent": "unused"}).shaping
