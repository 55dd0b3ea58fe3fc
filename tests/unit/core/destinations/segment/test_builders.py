from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.core.classification import MtuClass
from pipeline.core.destinations.mixpanel.mtu import MIXPANEL_MTU_BY_LIST
from pipeline.core.destinations.segment.builders import SegmentRecords
from pipeline.core.destinations.segment.mtu import SEGMENT_MTU, STATED_MTU_RULES
from pipeline.core.destinations.segment.names import NameProfile
from pipeline.core.identity import identify
from pipeline.core.kinds import KINDS, kind_of
from tests.unit.core.filtering import event

if TYPE_CHECKING:
    from pipeline.core.classification import MtuRules


def mtu_of(kind: str, *rules: MtuRules) -> object:
    clicked = event(kind)
    record = SegmentRecords(mtu_rules=rules).builder_of(kind_of(kind))(clicked, identify(clicked), "m-1", None, -1)
    assert isinstance(record, bytes)
    return json.loads(record)["context"]["onesignal"]["mtu"]


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
        SegmentRecords(integrations_off=("Mixpanel",)),
    ],
    ids=["profile", "custom names", "other rules", "fewer rules", "integrations"],
)
def test_whatever_changes_records_changes_their_shaping(other: SegmentRecords) -> None:
    assert other.shaping != SegmentRecords().shaping
    assert other != SegmentRecords()


def test_builders_of_the_same_choices_are_equal() -> None:
    assert SegmentRecords() == SegmentRecords()
    assert SegmentRecords().shaping == SegmentRecords(custom_names={"message.push.sent": "unused"}).shaping


def integrations(*off: str) -> bytes:
    sent = event("message.push.sent")
    builder = SegmentRecords(integrations_off=off).builder_of(kind_of("message.push.sent"))
    record = builder(sent, identify(sent), "m-1", None, -1)
    assert isinstance(record, bytes)
    return record[record.index(b'"integrations":') :].partition(b',"userId"')[0]


def test_by_default_only_onesignals_own_integration_is_off() -> None:
    assert integrations() == b'"integrations":{"All":true,"OneSignal New":false}'
    assert integrations("OneSignal New") == integrations()


def test_further_integrations_are_off_in_a_fixed_order() -> None:
    expected = b'"integrations":{"All":true,"OneSignal New":false,"Amplitude":false,"Mixpanel (Actions)":false}'
    assert integrations("Mixpanel (Actions)", "Amplitude", "Amplitude") == expected
    one, other = (SegmentRecords(integrations_off=off) for off in (("a", "b"), ("b", "a", "b")))
    assert (one, one.shaping) == (other, other.shaping)


def test_integrations_that_are_off_change_no_other_shaping() -> None:
    assert SegmentRecords(integrations_off=()).shaping == SegmentRecords().shaping
    assert SegmentRecords(integrations_off=("a",)).shaping[:-1] == SegmentRecords().shaping


def test_every_kind_counts() -> None:
    assert {SegmentRecords().mtu_class(kind_of(kind)) for kind in (*KINDS, "message.fax.sent")} == {MtuClass.COUNTED}
